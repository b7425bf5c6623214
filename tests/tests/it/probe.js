// What is wrong with the page as it is laid out, a sentence each.
(() => {
  const problems = [];
  const width = document.documentElement.clientWidth;
  const name = (element) => `${element.tagName.toLowerCase()} "${element.textContent.trim().slice(0, 40)}"`;

  if (document.documentElement.scrollWidth > width)
    problems.push(`the page is ${document.documentElement.scrollWidth} wide in a window of ${width}`);
  // Tables and listings may be wider than the window, inside of boxes that scroll and can be reached.
  for (const box of document.querySelectorAll("body *")) {
    const scrolls = ["auto", "scroll"].includes(getComputedStyle(box).overflowX);
    if (scrolls && box.scrollWidth > box.clientWidth && box.tabIndex !== 0)
      problems.push(`${name(box)} scrolls, but not by keyboard`);
  }

  for (const picture of document.querySelectorAll("svg[role=img]")) {
    const title = picture.getAttribute("aria-label").slice(0, 60);
    const frame = picture.getBoundingClientRect();
    if (frame.width < 200 || frame.height < 60) problems.push(`"${title}" is ${frame.width} by ${frame.height}`);
    const marks = picture.querySelectorAll(".mark, .line, .band, .bar, .valued, .cells path, .cells rect, .seen, .true");
    if (marks.length === 0) problems.push(`"${title}" shows no data`);
    const texts = [...picture.querySelectorAll("text")].map((text) => [text, text.getBoundingClientRect()]);
    texts.forEach(([text, a], index) => {
      if (a.left < frame.left - 1 || a.right > frame.right + 1 || a.top < frame.top - 1 || a.bottom > frame.bottom + 1)
        problems.push(`${name(text)} is cut off in "${title}"`);
      for (const [other, b] of texts.slice(index + 1)) {
        const across = Math.min(a.right, b.right) - Math.max(a.left, b.left);
        const down = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
        // Boxes of text are taller than its letters.
        if (across > 0 && down > 4) problems.push(`${name(text)} and ${name(other)} overlap in "${title}"`);
      }
    });
  }

  // The contrast of WCAG 2.2 (1.4.3): 4.5 for text of this size.
  const channels = (colour) => colour.match(/[\d.]+/g).map(Number);
  const luminance = ([r, g, b]) => {
    const linear = [r, g, b].map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
  };
  const paper = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = channels(getComputedStyle(at).backgroundColor);
      if (colour[3] !== 0) return colour;
    }
    return [255, 255, 255];
  };
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.textContent.trim());
    if (!own || element.tagName === "title") continue;
    const style = getComputedStyle(element);
    const ink = luminance(channels(element.tagName === "text" ? style.fill : style.color));
    const [dark, light] = [ink, luminance(paper(element))].sort((a, b) => a - b);
    const contrast = (light + 0.05) / (dark + 0.05);
    if (contrast < 4.5) problems.push(`${name(element)} has a contrast of ${contrast.toFixed(1)}`);
  }
  return problems;
})()
