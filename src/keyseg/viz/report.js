// Pointing at a class in the legend, or tapping a class or a segment, highlights that class in all bars.
(() => {
  const section = document.getElementById("timelines");
  if (!section) return;
  const buttons = [...section.querySelectorAll(".legend button")];
  const readout = section.querySelector(".readout");
  const hint = readout.textContent;
  let pinned = null;

  function show(name) {
    section.classList.toggle("picking", name !== null);
    section.querySelectorAll("rect.on").forEach((rect) => rect.classList.remove("on"));
    if (name !== null) section.querySelectorAll(`rect.${name}`).forEach((rect) => rect.classList.add("on"));
  }

  function pin(name) {
    pinned = name === pinned ? null : name;
    buttons.forEach((button) => button.setAttribute("aria-pressed", String(button.dataset.class === pinned)));
    show(pinned);
  }

  function describe(rect) {
    const row = rect.closest(".row").querySelector(".name").textContent;
    readout.textContent = `${row}, ${rect.querySelector("title").textContent}`;
  }

  buttons.forEach((button) => {
    button.addEventListener("pointerenter", (event) => event.pointerType === "mouse" && show(button.dataset.class));
    button.addEventListener("pointerleave", () => show(pinned));
    button.addEventListener("click", () => pin(button.dataset.class));
  });
  section.addEventListener("pointerover", (event) => {
    if (event.target.matches("rect")) describe(event.target);
    else if (!event.target.closest(".legend")) readout.textContent = hint;
  });
  section.addEventListener("click", (event) => {
    // In a bar with a player a click seeks instead.
    if (event.target.matches("rect") && !event.target.closest(".scrubber")) {
      pin([...event.target.classList].find((name) => name !== "on"));
      describe(event.target);
    }
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && pinned !== null) pin(pinned);
  });
})();
