() => {
  // Contrast by WCAG 2.2 (1.4.3 text, 1.4.11 parts of controls) of everything that is seen; what is too faint comes back.
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return canvas.getImageData(0, 0, 1, 1).data;
  };
  const light = (colour) => {
    const [r, g, b] = [...rgba(colour)].map((v) => (v / 255 <= 0.04045 ? v / 3294.6 : ((v / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ratio = (one, other) => {
    const [dark, bright] = [light(one), light(other)].sort((a, b) => a - b);
    return (bright + 0.05) / (dark + 0.05);
  };
  const behind = (element) => {
    for (let each = element; each; each = each.parentElement) {
      const colour = getComputedStyle(each).backgroundColor;
      if (rgba(colour)[3] === 255) return colour;
    }
    return "white";
  };
  const faint = [];
  let checked = 0;
  const check = (element, what, colour, ground, least) => {
    checked += 1;
    const found = ratio(colour, ground);
    if (found < least) faint.push(`${what} of ${element.tagName}#${element.id}.${element.className}: ${found.toFixed(2)}`);
  };
  for (const element of document.querySelectorAll("body *")) {
    const style = getComputedStyle(element);
    if (!element.checkVisibility({ visibilityProperty: true }) || element.disabled) continue;
    const written = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && style.fontWeight >= 700);
    if (written) check(element, "text", style.color, behind(element), large ? 3 : 4.5);
    if (element.matches("svg")) check(element, "icon", style.color, behind(element), 3);
    if (element.matches(".fill")) check(element, "bar", style.backgroundColor, behind(element.parentElement), 3);
    if (element.matches(".mark")) check(element, "mark", style.backgroundColor, behind(element.parentElement), 3);
    if (!element.matches("button, select") || element.matches("#tiles *")) continue;
    const edge = parseFloat(style.borderTopWidth) ? style.borderTopColor : style.backgroundColor;
    if (rgba(edge)[3]) check(element, "edge", edge, behind(element.parentElement), 3);
  }
  return { faint, checked };
}
