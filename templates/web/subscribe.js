// Lets a form for subscribing answer on the spot, here or on any other site. Without it the form works too.
//
//   <form action="https://letters.example.org/subscribe" method="post" data-newsletter> … </form>
//   <script src="https://letters.example.org/subscribe.js" defer></script>
"use strict";

for (const form of document.querySelectorAll("form[data-newsletter]")) {
  const address = new URL(form.action);
  address.pathname += ".json";
  let note = form.querySelector("[role=status]");
  let nonce = form.elements.nonce?.value || "", fetched = 0;

  const fetchNonce = async () => {
    if (nonce || fetched) return;
    fetched = 1;
    const answer = await fetch(address, { cache: "no-store" });
    nonce = (await answer.json()).nonce;
  };
  if (!nonce) form.addEventListener("focusin", () => fetchNonce().catch(() => { fetched = 0; }), { once: true });

  const say = text => {
    if (!note) {
      note = document.createElement("p");
      note.setAttribute("role", "status");
      form.append(note);
    }
    note.hidden = false;
    note.textContent = text;
  };

  const send = async () => {
    const fields = new URLSearchParams(new FormData(form));
    if (nonce) fields.set("nonce", nonce);
    const answer = await fetch(address, { method: "POST", body: fields });
    return answer.json();
  };

  form.addEventListener("submit", async event => {
    event.preventDefault();
    const button = form.querySelector("button, input[type=submit]");
    if (form.dataset.working) say(form.dataset.working);
    if (button) button.disabled = true;
    try {
      await fetchNonce();
      const told = await send();
      if (told.nonce) nonce = told.nonce;
      say(told.text);
      if (told.said === "sent") {
        for (const part of [...form.children]) if (part !== note && !note.contains(part)) part.hidden = true;
        note.tabIndex = -1;
        note.focus();
      }
    } catch {
      form.submit(); // as a browser without script does
    } finally {
      if (button) button.disabled = false;
    }
  });
}
