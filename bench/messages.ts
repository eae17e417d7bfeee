// The two messages of every measurement: deterministic multipart mail of about 4 KB and 50 KB on the wire.

export const MESSAGE_SIZES = ["4k", "50k"] as const;
export type MessageSize = (typeof MESSAGE_SIZES)[number];

interface Shape {
  readonly textChars: number;
  readonly htmlChars: number;
  readonly attachmentBytes: number;
}

const SHAPES: Record<MessageSize, Shape> = {
  "4k": { textChars: 640, htmlChars: 960, attachmentBytes: 700 },
  "50k": { textChars: 3000, htmlChars: 11_000, attachmentBytes: 25_150 },
};

const VOCABULARY =
  "our offer for the new warehouse is ready and every figure was checked twice by the finance team before we " +
  "send it to the board on thursday morning please answer until noon with your remarks about transport storage " +
  "insurance customs and the terms of payment many thanks for your patience and best wishes from the office";

type Random = () => number;

/** A linear congruential generator: the same bytes on every machine and every day. */
function createRandom(seed: number): Random {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

function prose(chars: number, random: Random): string {
  const words = VOCABULARY.split(" ");
  const lines: string[] = [];
  let line = "";
  for (let written = 0; written < chars;) {
    const word = words[Math.floor(random() * words.length)] ?? "";
    if (line.length + word.length > 70) {
      lines.push(line);
      line = "";
    }
    line = line === "" ? word : `${line} ${word}`;
    written += word.length + 1;
  }
  return [...lines, line].join("\r\n");
}

function base64(bytes: number, random: Random): string {
  const raw = Buffer.alloc(bytes);
  for (let i = 0; i < bytes; i += 1) raw[i] = Math.floor(random() * 256);
  return raw.toString("base64").replaceAll(/.{76}/g, "$&\r\n");
}

function html(chars: number, random: Random): string {
  let body = "";
  while (body.length < chars) {
    const paragraph = `<p style=3D"margin:0 0 1em">${prose(400, random)}</p>\r\n`;
    body += `${paragraph}<a href=3D"https://www.example.com/offer?no=3D${Math.floor(random() * 1e6)}">Angebot</a>\r\n`;
  }
  return body;
}

function header(random: Random): string[] {
  const signature = base64(128, random).replaceAll("\r\n", "\r\n\t ");
  return [
    "Received: from out2.example.com (out2.example.com [192.0.2.25])",
    "\tby mx.example.org (MX) with ESMTPS id 7Qk2p9XyZ1b",
    "\tfor <recipient@example.org>; Mon, 16 Nov 2026 09:14:03 +0000",
    "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.com; s=k1;",
    "\th=from:to:subject:date:message-id:mime-version:content-type;",
    "\tbh=frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY=;",
    `\tb=${signature}`,
    'From: "Mueller & Co, Sales" <sender@example.com>',
    'To: "The Recipient" <recipient@example.org>',
    "Subject: =?UTF-8?Q?Re=3A_Angebot_f=C3=BCr_das_neue_Lager_=E2=80=93_bitte_pr=C3=BCfen?=",
    "Date: Mon, 16 Nov 2026 09:14:01 +0000",
    "Message-ID: <20261116091401.2718.offer@example.com>",
    "MIME-Version: 1.0",
    "X-Mailer: OfficeMail 7.1",
    'Content-Type: multipart/mixed; boundary="=_outer_51d0"',
    "",
    "This is a multi-part message in MIME format.",
  ];
}

/** The message as it is before dot-stuffing, with CRLF line ends. No line of it begins with a dot. */
export function buildMessage(size: MessageSize): Buffer {
  const shape = SHAPES[size];
  const random = createRandom(2718);
  const lines = [
    ...header(random),
    "--=_outer_51d0",
    'Content-Type: multipart/alternative; boundary="=_inner_9be4"',
    "",
    "--=_inner_9be4",
    "Content-Type: text/plain; charset=utf-8",
    "Content-Transfer-Encoding: quoted-printable",
    "",
    "Sehr geehrte Frau M=C3=BCller,",
    "",
    prose(shape.textChars, random),
    "",
    "mit freundlichen Gr=C3=BC=C3=9Fen",
    "--=_inner_9be4",
    "Content-Type: text/html; charset=utf-8",
    "Content-Transfer-Encoding: quoted-printable",
    "",
    '<html><head><meta http-equiv=3D"Content-Type" content=3D"text/html"></head>',
    '<body style=3D"font-family:sans-serif"><p>Sehr geehrte Frau M=C3=BCller,</p>',
    `${html(shape.htmlChars, random)}</body></html>`,
    "--=_inner_9be4--",
    "",
    "--=_outer_51d0",
    'Content-Type: application/pdf; name="angebot.pdf"',
    'Content-Disposition: attachment; filename="angebot.pdf"',
    "Content-Transfer-Encoding: base64",
    "",
    base64(shape.attachmentBytes, random),
    "--=_outer_51d0--",
    "",
  ];
  return Buffer.from(lines.join("\r\n"), "latin1");
}

/** RFC 5321 §4.5.2: the content as sent after DATA, dots doubled, with the end-of-data line. */
export function toWire(message: Buffer): Buffer {
  const text = message.toString("latin1").replaceAll(/^\./gm, "..");
  return Buffer.from(`${text}${text.endsWith("\r\n") ? "" : "\r\n"}.\r\n`, "latin1");
}
