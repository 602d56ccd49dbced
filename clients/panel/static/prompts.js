/* Asks for a consent where it is needed. What needs it stands in a template, which browsers do not
   load anything of; without this script, or without an answer, it stays there.

     <div data-consent="video_embeds">
       <template><iframe src="https://video.example.net/…" title="…"></iframe></template>
       <p>What is there for somebody who has not said yes.</p>
     </div>
     <script src="https://panel.example/static/prompts.js" defer></script>                        */

(() => {
  "use strict";
  const panel = new URL(document.currentScript.src).origin;

  const made = (name, kind, text) => {
    const element = document.createElement(name);
    if (kind) element.className = kind;
    if (text) element.textContent = text;
    return element;
  };

  const call = async (purpose, body) => {
    const language = document.documentElement.lang;
    const answer = await fetch(`${panel}/prompts/${encodeURIComponent(purpose)}`, {
      method: body ? "POST" : "GET",
      body: body && JSON.stringify(body),
      credentials: "include",
      cache: "no-store",
      headers: {
        ...(language && { "Accept-Language": language }),
        ...(body && { "Content-Type": "application/json" }),
      },
    });
    if (!answer.ok) throw new Error(answer.status);
    return answer.json();
  };

  const load = (place) => {
    const template = place.querySelector("template");
    if (!template) return;
    const loaded = made("div", "consent-loaded");
    loaded.append(template.content.cloneNode(true));
    loaded.tabIndex = -1;
    place.replaceChildren(loaded);
    return loaded;
  };

  let count = 0;

  const box = (place) => {
    const one = { box: made("div", "consent-prompt"), text: made("div"), id: `consent-${count++}` };
    one.buttons = made("div", "consent-buttons");
    one.status = made("p", "consent-status");
    one.status.setAttribute("role", "status");
    one.box.setAttribute("role", "group");
    one.box.setAttribute("aria-labelledby", one.id);
    one.box.tabIndex = -1;
    one.box.append(one.text, one.buttons, one.status);
    place.prepend(one.box);
    return one;
  };

  const fill = (one, state) => {
    const title = made("p", "consent-title", state.title);
    title.id = one.id;
    one.box.lang = state.shown.locale;
    one.text.replaceChildren(title, made("p", "", state.text[0]));
    if (state.text.length < 2) return;
    const more = made("details");
    more.append(made("summary", "", state.words.text));
    more.append(...state.text.slice(1).map((part) => made("p", "", part)));
    one.text.append(more);
  };

  // However often a page asks for the same, one answer is the answer to all of it.
  const ask = (purpose, places, state) => {
    const asked = places.map(box);
    asked.forEach((one) => fill(one, state));
    let busy = false;

    const answered = (answer, here, permitted) => {
      if (permitted) return places.map(load)[asked.indexOf(here)]?.focus();
      for (const one of asked) {
        one.status.textContent = state.words[answer === "accept" ? "held" : "refused"];
        one.buttons.remove();
      }
      here.box.focus();
    };

    const send = async (answer, here) => {
      if (busy) return;
      busy = true;
      try {
        const { permitted } = await call(purpose, { answer, shown: state.shown });
        answered(answer, here, permitted);
      } catch {
        here.status.textContent = state.words.unknown;
        try {
          // The question may be out of date: the next answer is to how things stand now.
          state = await call(purpose);
          asked.forEach((one) => fill(one, state));
        } catch {
          // Still nobody knows: the same answer can be sent again.
        }
      }
      busy = false;
    };

    for (const one of asked) {
      for (const answer of ["refuse", "accept"]) {
        const button = made("button", "", state.words[answer]);
        button.type = "button";
        button.addEventListener("click", () => send(answer, one));
        one.buttons.append(button);
      }
    }
  };

  const start = async (purpose, places) => {
    try {
      const state = await call(purpose);
      if (state.permitted) places.forEach(load);
      else ask(purpose, places, state);
    } catch {
      // It could not be found out: what needs no consent is there already.
    }
  };

  const all = [...document.querySelectorAll("[data-consent]")];
  for (const purpose of new Set(all.map((one) => one.dataset.consent)))
    start(purpose, all.filter((one) => one.dataset.consent === purpose));
})();
