// TextEncoder, atob and btoa, which a bare V8 does not have.

const BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

export class TextEncoder {
  get encoding(): string {
    return "utf-8";
  }

  encode(input: unknown = ""): Uint8Array {
    const text = String(input).toWellFormed();
    const bytes = new Uint8Array(text.length * 3);
    let length = 0;
    for (let at = 0; at < text.length; at++) {
      const code = text.codePointAt(at) ?? 0;
      if (code > 0xffff) at += 1;
      if (code < 0x80) bytes[length++] = code;
      else {
        if (code < 0x800) bytes[length++] = 0xc0 | (code >> 6);
        else {
          if (code < 0x10000) bytes[length++] = 0xe0 | (code >> 12);
          else {
            bytes[length++] = 0xf0 | (code >> 18);
            bytes[length++] = 0x80 | ((code >> 12) & 0x3f);
          }
          bytes[length++] = 0x80 | ((code >> 6) & 0x3f);
        }
        bytes[length++] = 0x80 | (code & 0x3f);
      }
    }
    return bytes.slice(0, length);
  }
}

export function btoa(input: unknown): string {
  const text = String(input);
  let out = "";
  for (let at = 0; at < text.length; at += 3) {
    const codes = [text.charCodeAt(at), text.charCodeAt(at + 1), text.charCodeAt(at + 2)].map((code) =>
      Number.isNaN(code) ? 0 : code,
    );
    const [a = 0, b = 0, c = 0] = codes;
    if (a > 255 || b > 255 || c > 255) throw new RangeError("btoa: the text has characters outside latin1");
    const bits = (a << 16) | (b << 8) | c;
    out += BASE64.charAt(bits >> 18) + BASE64.charAt((bits >> 12) & 63);
    out += at + 1 < text.length ? BASE64.charAt((bits >> 6) & 63) : "=";
    out += at + 2 < text.length ? BASE64.charAt(bits & 63) : "=";
  }
  return out;
}

export function atob(input: unknown): string {
  const text = String(input)
    .replaceAll(/[\t\n\f\r ]/g, "")
    .replace(/={1,2}$/, "");
  let out = "";
  let bits = 0;
  let count = 0;
  for (const character of text) {
    const value = BASE64.indexOf(character);
    if (value < 0 || text.length % 4 === 1) throw new RangeError("atob: the text is not base64");
    bits = ((bits << 6) | value) & 0xffffff;
    count += 6;
    if (count >= 8) {
      count -= 8;
      out += String.fromCharCode((bits >> count) & 0xff);
    }
  }
  return out;
}
