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

  const load = (place, box) => {
    const template = place.querySelector("template");
    if (!template) return;
    const loaded = made("div", "consent-loaded");
    loaded.append(template.content.cloneNode(true));
    loaded.tabIndex = -1;
    place.replaceChildren(loaded);
    if (box) loaded.focus();
  };

  const ask = (place, purpose, state) => {
    const box = made("section", "consent-prompt");
    const title = made("p", "consent-title", state.title);
    title.id = `consent-${purpose}`;
    box.setAttribute("aria-labelledby", title.id);
    const status = made("p", "consent-status");
    status.setAttribute("role", "status");
    const buttons = made("div", "consent-buttons");
    const more = made("details");
    more.append(made("summary", "", state.words.text));
    more.append(...state.text.slice(1).map((one) => made("p", "", one)));
    for (const answer of ["refuse", "accept"]) {
      const button = made("button", "", state.words[answer]);
      button.type = "button";
      button.addEventListener("click", async () => {
        try {
          const { permitted } = await call(purpose, { answer, shown: state.shown });
          if (permitted) return load(place, box);
          status.textContent = state.words[answer === "accept" ? "held" : "refused"];
          buttons.remove();
        } catch {
          status.textContent = state.words.unknown;
        }
      });
      buttons.append(button);
    }
    box.append(title, made("p", "", state.text[0]), more, buttons, status);
    place.prepend(box);
  };

  const start = async (place) => {
    const purpose = place.dataset.consent;
    try {
      const state = await call(purpose);
      if (state.permitted) load(place);
      else ask(place, purpose, state);
    } catch {
      // It could not be found out: what needs no consent is there already.
    }
  };

  document.querySelectorAll("[data-consent]").forEach(start);
})();
