// Search in a folder: browsers start no worker for pages from disk, so a hidden frame does what a worker would.
if (location.protocol === "file:")
  window.Worker = class extends EventTarget {
    constructor(url) {
      super();
      const frame = document.createElement("iframe");
      frame.hidden = true;
      this.ready = new Promise(resolve => {
        window.__workerStarted = inside => {
          inside.postMessage = data => this.dispatchEvent(new MessageEvent("message", { data }));
          resolve(inside);
        };
      });
      const script = text => `<script${text}<\/script>`;
      frame.srcdoc = script(">parent.__workerStarted(window)") + script(` src="${new URL(url, location)}">`);
      frame.addEventListener("load", () => (this.loaded = true));
      document.body.append(frame);
    }
    postMessage(data) {
      this.ready.then(inside => {
        const send = () => inside.dispatchEvent(new MessageEvent("message", { data }));
        if (this.loaded) send();
        else inside.addEventListener("load", send);
      });
    }
  };
