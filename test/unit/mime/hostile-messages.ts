// Messages made to hurt a parser, by size: the unit tests use small sizes, the long tests those of the attacks.

export interface Bomb {
  /** Case of the fault list. */
  readonly id: string;
  readonly title: string;
  /** Unit tests, long tests. */
  readonly sizes: readonly [small: number, large: number];
  readonly make: (size: number) => Buffer;
  /** The message must be told to be defective. */
  readonly defect?: RegExp;
}

const bytes = (text: string): Buffer => Buffer.from(text, "latin1");
const inMultipart = (boundary: string, body: string): Buffer =>
  bytes(`Subject: a\r\nContent-Type: multipart/mixed; boundary="${boundary}"\r\n\r\n${body}`);
const withField = (field: string): Buffer => bytes(`Subject: a\r\n${field}\r\n\r\nbody\r\n`);
const withBody = (encoding: string, body: string): Buffer =>
  bytes(
    `Subject: a\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: ${encoding}\r\n\r\n${body}`,
  );

function nested(levels: number, newline: string): Buffer {
  const lines: string[] = [];
  for (let level = 0; level < levels; level++)
    lines.push(`Content-Type: multipart/mixed; boundary=b${level}`, "", `--b${level}`);
  return bytes(lines.join(newline) + newline);
}

const continuations = (count: number, order: (index: number) => number): string =>
  Array.from({ length: count }, (_, index) => `;\r\n filename*${order(index)}*=a`).join("");

export const BOMBS: readonly Bomb[] = [
  {
    id: "M01",
    title: "empty parts",
    sizes: [20_000, 1_000_000],
    make: (size) => inMultipart("a", `${"--a\r\n\r\n".repeat(size)}--a--\r\n`),
    defect: /part limit/,
  },
  {
    id: "M01",
    title: "empty parts with bare LF",
    sizes: [20_000, 1_000_000],
    make: (size) => inMultipart("a", `${"--a\n\n".repeat(size)}--a--\n`),
    defect: /part limit/,
  },
  {
    id: "M02",
    title: "nested multiparts",
    sizes: [5000, 50_000],
    make: (size) => nested(size, "\r\n"),
    defect: /nesting limit/,
  },
  { id: "M02", title: "nested multiparts, LF", sizes: [5000, 50_000], make: (size) => nested(size, "\n") },
  {
    id: "M03",
    title: "messages inside messages",
    sizes: [10_000, 100_000],
    make: (size) => bytes("Content-Type: message/rfc822\r\n\r\n".repeat(size)),
  },
  {
    id: "M04",
    title: "To fields",
    sizes: [50_000, 500_000],
    make: (size) => bytes(`${"To: a@b.example\r\n".repeat(size)}\r\nbody\r\n`),
  },
  {
    id: "M05",
    title: "addresses in one field",
    sizes: [50_000, 1_000_000],
    make: (size) => withField(`To: ${"a@b,".repeat(size)}c@d`),
  },
  {
    id: "M05",
    title: "characters in one line",
    sizes: [2_000_000, 10_000_000],
    make: (size) => withField(`X: ${"x".repeat(size)}`),
  },
  {
    id: "M05",
    title: "folds",
    sizes: [100_000, 1_000_000],
    make: (size) => withField(`X: x${"\r\n ".repeat(size)}`),
  },
  {
    id: "M05",
    title: "blanks in a Content-ID",
    sizes: [20_000, 100_000],
    make: (size) => withField(`Content-ID: <a${" ".repeat(size)}b>`),
  },
  {
    id: "M05",
    title: "pictures that one HTML body does not show",
    sizes: [9000, 9000],
    make: (size) =>
      bytes(
        `Subject: a\r\nContent-Type: multipart/related; boundary=b\r\n\r\n--b\r\nContent-Type: text/html\r\n\r\n${"<p>cid:a".repeat(1_200_000)}\r\n${"--b\r\nContent-Type: image/png\r\nContent-ID: <aaaa>\r\n\r\nx\r\n".repeat(size)}--b--\r\n`,
      ),
  },
  {
    id: "M05",
    title: "tiny fields",
    sizes: [100_000, 1_000_000],
    make: (size) => bytes(`${"a:\r\n".repeat(size)}\r\n`),
  },
  {
    id: "M05",
    title: "references",
    sizes: [20_000, 200_000],
    make: (size) => withField(`References: ${"<a@b.c> ".repeat(size)}`),
  },
  {
    id: "M05",
    title: "trace fields",
    sizes: [20_000, 100_000],
    make: (size) => bytes(`${"Received: from a by b\r\n".repeat(size)}\r\n`),
  },
  {
    id: "M06",
    title: "continuations of a file name, last first",
    sizes: [20_000, 65_536],
    make: (size) =>
      withField(`Content-Disposition: attachment${continuations(size, (index) => size - index)}`),
    defect: /parameter limit/,
  },
  {
    id: "M06",
    title: "continuations that repeat and leave gaps",
    sizes: [900, 900],
    make: (size) =>
      withField(`Content-Disposition: attachment${continuations(size, (index) => (index % 7) * 2)}`),
    defect: /given twice/,
  },
  {
    id: "M07",
    title: "adjacent encoded words",
    sizes: [20_000, 200_000],
    make: (size) => withField(`X-Words: ${"=?utf-8?Q?a=C3?= ".repeat(size)}`),
  },
  {
    id: "M07",
    title: "begun encoded words",
    sizes: [100_000, 1_000_000],
    make: (size) => withField(`X-Words: ${"=?a?q?".repeat(size)}`),
  },
  {
    id: "M08",
    title: "dash lines below a boundary of dashes",
    sizes: [20_000, 200_000],
    make: (size) => inMultipart("-".repeat(60), `${"-".repeat(70)}\r\n`.repeat(size)),
  },
  {
    id: "M08",
    title: "near misses of a long boundary",
    sizes: [1000, 20_000],
    make: (size) => inMultipart("b".repeat(2000), `--${"b".repeat(1999)}c\r\n`.repeat(size)),
  },
  {
    id: "M08",
    title: "padded almost-delimiters",
    sizes: [1000, 10_000],
    make: (size) => inMultipart("a", `--a${" ".repeat(1000)}x\r\n`.repeat(size)),
  },
  {
    id: "M10",
    title: "base64 with a blank after each character",
    sizes: [500_000, 12_500_000],
    make: (size) => withBody("base64", "Y ".repeat(size)),
  },
  {
    id: "M10",
    title: "base64 with padding after each quantum",
    sizes: [100_000, 5_000_000],
    make: (size) => withBody("base64", "YQ==".repeat(size)),
  },
  {
    id: "M10",
    title: "base64 in one line",
    sizes: [1_000_000, 25_000_000],
    make: (size) => withBody("base64", "YWJj".repeat(size / 4)),
  },
  {
    id: "M10",
    title: "soft line breaks",
    sizes: [300_000, 8_000_000],
    make: (size) => withBody("quoted-printable", "=\r\n".repeat(size)),
  },
  {
    id: "M10",
    title: "equals signs and blanks",
    sizes: [1_000_000, 25_000_000],
    make: (size) => withBody("quoted-printable", `${"= ".repeat(size / 4)}${" ".repeat(size / 2)}`),
  },
  {
    id: "M17",
    title: "nested groups",
    sizes: [100_000, 1_000_000],
    make: (size) => withField(`To: ${"g:".repeat(size)}a@b;`),
  },
  {
    id: "M17",
    title: "open comments",
    sizes: [500_000, 1_000_000],
    make: (size) => withField(`To: ${"(".repeat(size)}`),
  },
  {
    id: "M17",
    title: "escaped quotes",
    sizes: [400_000, 1_000_000],
    make: (size) => withField(`To: ${'\\"'.repeat(size)}`),
  },
  {
    id: "M17",
    title: "angle brackets",
    sizes: [500_000, 500_000],
    make: (size) => withField(`To: ${"<".repeat(size)}`),
  },
  {
    id: "M17",
    title: "colons in an address literal",
    sizes: [500_000, 1_000_000],
    make: (size) => withField(`To: a@[${":".repeat(size)}`),
  },
  {
    id: "M19",
    title: "UTF-7 shifts",
    sizes: [100_000, 4_000_000],
    make: (size) => bytes(`Content-Type: text/plain; charset=utf-7\r\n\r\n${"+AAA-".repeat(size)}`),
  },
  {
    id: "M19",
    title: "ISO-2022-JP escapes",
    sizes: [100_000, 4_000_000],
    make: (size) =>
      bytes(`Content-Type: text/plain; charset=iso-2022-jp\r\n\r\n${"\x1b$B\x1b(B".repeat(size)}`),
  },
  {
    id: "M19",
    title: "GB18030 four byte characters, cut",
    sizes: [100_000, 4_000_000],
    make: (size) =>
      bytes(`Content-Type: text/plain; charset=gb18030\r\n\r\n${"\x81\x30\x81\x30\x81".repeat(size)}`),
  },
  {
    id: "M19",
    title: "a charset label",
    sizes: [500_000, 1_000_000],
    make: (size) => bytes(`Content-Type: text/plain; charset=${"x".repeat(size)}\r\n\r\nhi\r\n`),
    defect: /charset/,
  },
];
