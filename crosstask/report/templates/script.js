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
    const number = score === undefined ? "" : ` (${data.metric[task]} ${score.toPrecision(3)})`;
    const kind = what === "errors" ? "error" : "prediction";
    const alt = `${kind} of ${task} by ${method}${number}`;
    return [what === "errors" ? view.errors[key] : view.predictions[key], alt, method + number];
  }

  function put(image, source, alt) {
    image.style.visibility = source ? "" : "hidden";
    if (source) image.src = source; else image.removeAttribute("src");
    image.alt = source ? alt : "";
  }

  // What an image-level task says: names and numbers.
  function chips(list, values) {
    list.replaceChildren(...(values || []).map(([name, text, part]) => {
      const chip = document.createElement("li");
      chip.textContent = `${name} ${text}`.trim();
      chip.style.setProperty("--part", `${part}%`);
      return chip;
    }));
  }

  const score = (name, task) => Object.values(data.scores)
    .map(each => each[task]?.[name]).filter(value => value !== undefined)
    .reduce((sum, value, _, all) => sum + value / all.length, 0);

  // Only cards whose id holds what is searched for, in the order that is asked for.
  function arrange(task) {
    const [part, order] = [one("#find").value.trim().toLowerCase(), one("#order").value];
    const sign = (data.better[task] || 1) * (order === "best" ? -1 : 1);
    let found = 0;
    for (const list of all(".cards")) {
      const cards = [...list.children];
      cards.forEach((card, index) => { card.dataset.place ??= index; });
      cards.sort((a, b) => order
        ? sign * (score(a.dataset.image, task) - score(b.dataset.image, task))
        : a.dataset.place - b.dataset.place);
      list.append(...cards);
      for (const card of cards) {
        card.hidden = !card.dataset.image.toLowerCase().includes(part);
        if (!card.hidden && !card.closest("[hidden]")) found += 1;
      }
    }
    one("#count").textContent = part ? `${found} images whose id holds "${part}"` : "";
  }

  function show() {
    const [task, what, left, right] = [chosen("task"), chosen("what"), one("#left").value, one("#right").value];
    for (const part of all(".hard")) part.hidden = part.dataset.task !== task;
    for (const part of all(".key")) part.hidden = part.dataset.task !== task || part.dataset.what !== what;
    for (const card of all(".card")) {
      const name = card.dataset.image;
      const view = data.views[name][task];
      const words = Array.isArray(view.label) || Object.values(view.predictions).some(Array.isArray);
      for (const part of all(".zoom", one(".label", card))) part.hidden = words || !view.label;
      for (const part of [one(".stack", card), one(".slide", card)]) part.hidden = words;
      one(".label .chips", card).hidden = !words || !view.label;
      one(".twins", card).hidden = !words;
      one(".none", card).hidden = Boolean(view.label);
      if (words) chips(one(".label .chips", card), view.label);
      else put(one(".label img", card), view.label, `Label of ${task} for image ${name}`);
      for (const [side, key] of [["left", left], ["right", right]]) {
        const [source, alt, caption] = picture(name, task, key, words ? "predictions" : what);
        if (words) chips(all(".twins .chips", card)[side === "left" ? 0 : 1], source);
        else put(one(`.${side}`, card), source, `Image ${name}: ${alt}, ${side} of the divider`);
        one(`.${side}-name`, card).textContent = source ? caption : `${caption}: nothing to show`;
      }
    }
    arrange(task);
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
  const dialog = one("#large");
  function enlarge(card, images) {
    one("div", dialog).replaceChildren(...images.map(image => image.cloneNode()));
    for (const image of all("img", dialog)) image.removeAttribute("class");
    one("p", dialog).textContent = `${card.dataset.image}: ${images.map(image => image.alt).join("; ")}`;
    dialog.showModal();
  }
  for (const card of all(".card")) {
    for (const button of all(".zoom", card)) button.addEventListener("click", () => enlarge(card, all("img", button)));
    one(".larger", card).addEventListener("click", () => enlarge(card, all(".stack img", card).reverse()));
  }
  dialog.addEventListener("click", event => { if (event.target === dialog) dialog.close(); });
  for (const link of all("a[data-task]")) {
    link.addEventListener("click", () => {
      one(`input[name="task"][value="${CSS.escape(link.dataset.task)}"]`).checked = true;
      show();
    });
  }
  one("#find").addEventListener("input", show);
  one(".controls").addEventListener("submit", event => event.preventDefault());
  for (const control of all(".controls input, .controls select")) control.addEventListener("change", show);
  if (settings) settings.addEventListener("change", setting);
  setting();
})();
