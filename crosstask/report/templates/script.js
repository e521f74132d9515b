"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const one = (selector, within = document) => within.querySelector(selector);
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const settings = one("#labels");
  const chosen = name => one(`input[name="${name}"]:checked`).value;
  const LABEL = "label";

  // What can be compared: the label, and each method with the labels of the chosen setting.
  const options = labels => [
    [LABEL, LABEL],
    ...Object.keys(data.scores).filter(key => key.startsWith(`${labels}|`)).map(key => [key, key.slice(labels.length + 1)]),
  ];

  function fill(select, entries, preferred) {
    select.replaceChildren(...entries.map(([value, text]) => new Option(text, value)));
    select.value = entries.some(([value]) => value === preferred) ? preferred : entries[0][0];
  }

  function sameMethod(key, labels) {
    return key === LABEL || !key ? key : `${labels}|${key.slice(key.indexOf("|") + 1)}`;
  }

  function setting() {
    const labels = settings ? settings.value : Object.keys(data.scores)[0].split("|")[0];
    for (const part of all("[data-labels]")) part.hidden = part.dataset.labels !== labels;
    const entries = options(labels);
    const [left, right] = [one("#left"), one("#right")];
    const first = entries.length > 2 ? entries[1][0] : LABEL;
    fill(left, entries, left.value ? sameMethod(left.value, labels) : first);
    fill(right, entries, right.value ? sameMethod(right.value, labels) : entries[entries.length - 1][0]);
    show();
  }

  // A picture, the words that replace it, and its caption.
  function picture(name, task, key, what) {
    const view = data.views[name][task];
    if (key === LABEL) return [view.label, `label of ${task}`, "label"];
    const method = key.slice(key.indexOf("|") + 1);
    const score = data.scores[key][task]?.[name];
    const number = score === undefined ? "" : ` (${data.primary[task]} ${score.toPrecision(3)})`;
    const kind = what === "errors" ? "error" : "prediction";
    const alt = `${kind} of ${task} by ${method}${number}`;
    return [what === "errors" ? view.errors[key] : view.predictions[key], alt, method + number];
  }

  function put(image, source, alt) {
    image.style.visibility = source ? "" : "hidden";
    if (source) image.src = source; else image.removeAttribute("src");
    image.alt = source ? alt : "";
  }

  function show() {
    const [task, what, left, right] = [chosen("task"), chosen("what"), one("#left").value, one("#right").value];
    for (const part of all(".hard")) part.hidden = part.dataset.task !== task;
    for (const card of all(".card")) {
      const name = card.dataset.image;
      const view = data.views[name][task];
      const label = one(".label img", card);
      label.hidden = !view.label;
      one(".none", card).hidden = Boolean(view.label);
      put(label, view.label, `Label of ${task} for image ${name}`);
      for (const [side, key] of [["left", left], ["right", right]]) {
        const [source, alt, caption] = picture(name, task, key, what);
        put(one(`.${side}`, card), source, `Image ${name}: ${alt}, ${side} of the divider`);
        one(`.${side}-name`, card).textContent = source ? caption : `${caption}: nothing to show`;
      }
    }
    const scale = one("#scale");
    scale.hidden = what !== "errors";
    one("span", scale).textContent = data.scales[task];
  }

  function slide(input) {
    const stack = one(".stack", input.closest(".pair"));
    stack.style.setProperty("--cut", `${input.value}%`);
    input.setAttribute("aria-valuetext", `${input.value} % left`);
  }

  for (const input of all(".pair input")) {
    const stack = one(".stack", input.closest(".pair"));
    const drag = event => {
      const box = stack.getBoundingClientRect();
      input.value = (100 * (event.clientX - box.left)) / box.width;
      slide(input);
    };
    stack.addEventListener("pointerdown", event => { stack.setPointerCapture(event.pointerId); drag(event); });
    stack.addEventListener("pointermove", event => { if (event.buttons & 1) drag(event); });
    stack.addEventListener("dragstart", event => event.preventDefault());
    input.addEventListener("input", () => slide(input));
    slide(input);
  }
  for (const control of all(".controls input, .controls select")) control.addEventListener("change", show);
  if (settings) settings.addEventListener("change", setting);
  setting();
})();
