// Texts of scripts as lines: a script cannot forge a second one, nor send control codes to a terminal.

export function oneLine(text: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are what is removed
  return text.replaceAll(/[\x00-\x1f\x7f-\x9f\u2028\u2029]+/g, " ");
}
