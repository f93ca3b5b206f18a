// What assistive technology misses in the theme's pages.
function mend() {
  for (const caption of document.querySelectorAll('.caption[role="heading"]:not([aria-level])')) {
    caption.setAttribute("aria-level", "2");
  }
  for (const box of document.querySelectorAll(".content pre, .content table.docutils")) {
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0; // so that keys can scroll it
    else box.removeAttribute("tabindex");
  }
}
document.addEventListener("DOMContentLoaded", mend);
window.addEventListener("resize", mend);
