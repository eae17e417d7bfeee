// AUTH at a next hop (RFC 4954): the strongest mechanism that the host offers and the credentials allow, or the one set.
import { createHmac } from "node:crypto";
import { describeError } from "../../core/errors.ts";
import { reply, type Reply } from "../../core/reply.ts";
import { AUTH_MECHANISMS, type AuthMechanism, type OutboundCredentials } from "./destination.ts";
import type { PeerReply } from "./reply-reader.ts";

/** RFC 4954 §4: an initial response that makes the line longer waits for its own turn. */
const MAX_LINE_CHARS = 510;
const CONTINUE = 334;

/** Sends a line of the exchange and answers what the host says to it. */
export type AskForAuth = (line: string) => Promise<PeerReply>;

const base64 = (text: string): string => Buffer.from(text).toString("base64");

/** 235, or why not. */
export async function authenticate(
  ask: AskForAuth,
  offered: readonly string[],
  credentials: OutboundCredentials,
): Promise<PeerReply | Reply> {
  const mechanisms = usable(credentials).filter((mechanism) => offered.includes(mechanism));
  let answer: PeerReply | Reply = reply(
    504,
    "5.4",
    `The host offers none of AUTH ${usable(credentials).join(", ")}`,
  );
  for (const mechanism of mechanisms) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other is the point
    answer = await attempt(mechanism, ask, credentials);
    // RFC 4954 §6: offered and not served, or too weak for this user. A wrong password is not tried in another guise:
    // a few of them lock the account.
    if (answer.code !== 504 && answer.code !== 534) return answer;
  }
  return answer;
}

/** Strongest first: a token ends by itself, a challenge does not show the password. */
function usable({ mechanism, token }: OutboundCredentials): readonly AuthMechanism[] {
  if (mechanism !== undefined) return [mechanism];
  return AUTH_MECHANISMS.filter((one) => (one === "XOAUTH2") === (token !== undefined));
}

async function attempt(
  mechanism: AuthMechanism,
  ask: AskForAuth,
  { user, password = "", token }: OutboundCredentials,
): Promise<PeerReply | Reply> {
  switch (mechanism) {
    case "XOAUTH2":
      return bearer(ask, user, token);
    case "CRAM-MD5": {
      const challenge = await ask("AUTH CRAM-MD5");
      if (challenge.code !== CONTINUE) return challenge;
      const words = Buffer.from(challenge.text, "base64");
      // RFC 2195 §2
      return ask(base64(`${user} ${createHmac("md5", password).update(words).digest("hex")}`));
    }
    case "PLAIN":
      return initial(ask, "PLAIN", base64(`\0${user}\0${password}`));
    case "LOGIN": {
      let answer = await ask("AUTH LOGIN");
      if (answer.code === CONTINUE) answer = await ask(base64(user));
      if (answer.code === CONTINUE) answer = await ask(base64(password));
      return answer;
    }
  }
}

async function initial(ask: AskForAuth, mechanism: string, response: string): Promise<PeerReply> {
  const line = `AUTH ${mechanism} ${response}`;
  if (line.length <= MAX_LINE_CHARS) return ask(line);
  const answer = await ask(`AUTH ${mechanism}`);
  return answer.code === CONTINUE ? ask(response) : answer;
}

/** XOAUTH2 has no RFC: "user=…^Aauth=Bearer …^A^A", and a failure comes as a challenge that wants an empty answer. */
async function bearer(
  ask: AskForAuth,
  user: string,
  token: OutboundCredentials["token"],
): Promise<PeerReply | Reply> {
  let secret: string;
  try {
    secret = (await token?.()) ?? "";
  } catch (error) {
    return reply(454, "7.0", `the token cannot be read: ${describeError(error)}`);
  }
  const answer = await initial(ask, "XOAUTH2", base64(`user=${user}\u0001auth=Bearer ${secret}\u0001\u0001`));
  return answer.code === CONTINUE ? ask("") : answer;
}
