// Mail for many destinations of which some are sick: who sends it, what the world is like, and what became of every message.
import { connect } from "node:net";
import { TOKEN_HEADER } from "./ledger.ts";
import type { Zone } from "./dns-zone.ts";
import { sleep } from "./eventually.ts";

export type Health = "healthy" | "slow" | "refused" | "mute" | "refusing";

/** Where the hosts of a domain are; nobody listens at that of the refused ones. */
export const HOSTS: Readonly<Record<Health, string>> = {
  healthy: "127.1.0.1",
  slow: "127.1.0.2",
  mute: "127.1.0.3",
  refusing: "127.1.0.4",
  refused: "127.1.0.5",
};

/** Of each hundred destinations ten are dead, one half each way, ten are slow, and one knows none of its users. */
export function healthOf(domain: number): Health {
  const place = domain % 100;
  if (place < 5) return "refused";
  if (place < 10) return "mute";
  if (place < 20) return "slow";
  return place === 20 ? "refusing" : "healthy";
}

export const domainName = (domain: number): string => `d${domain}.example`;

export function zoneOf(domains: number, health: (domain: number) => Health): Zone {
  const zone: Zone = {};
  for (let domain = 0; domain < domains; domain += 1) {
    const name = domainName(domain);
    zone[name] = { MX: [`10 ${name}`], A: [HOSTS[health(domain)]] };
  }
  return zone;
}

export const tokenOf = (message: number): string => `m${message}`;

const contentOf = (message: number): string =>
  `${TOKEN_HEADER}: ${tokenOf(message)}\r\nSubject: fairness\r\n\r\n${"text ".repeat(200)}\r\n.\r\n`;

/** Answers the id that the service gave each message. A broken connection is opened again, as clients do. */
export async function sendAll(
  port: () => number,
  messages: number,
  domains: number,
  sessions = 20,
): Promise<string[]> {
  const ids: string[] = [];
  let next = 0;
  const client = async (): Promise<void> => {
    let current: number | undefined;
    const take = (): number | undefined => {
      if (current === undefined && next < messages) {
        current = next;
        next += 1;
      }
      return current;
    };
    while (take() !== undefined) {
      await session(port(), domains, take, (message, id) => {
        ids[message] = id;
        current = undefined;
      });
      if (take() !== undefined) await sleep(20);
    }
  };
  await Promise.all(Array.from({ length: sessions }, client));
  return ids;
}

/** Resolves when the connection is over. */
function session(
  port: number,
  domains: number,
  take: () => number | undefined,
  accepted: (message: number, id: string) => void,
): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    let rest = "";
    // Replies until the next step: of the greeting, of EHLO, of MAIL RCPT and DATA, of the content.
    let step: "greeting" | "ehlo" | "group" | "content" = "greeting";
    let owed = 1;
    const begin = (): void => {
      const message = take();
      if (message === undefined) {
        socket.end("QUIT\r\n");
        return;
      }
      step = "group";
      owed = 3;
      const to = `u${message}@${domainName(message % domains)}`;
      socket.write(`MAIL FROM:<sender@client.example>\r\nRCPT TO:<${to}>\r\nDATA\r\n`);
    };
    const reply = (line: string): void => {
      if (line.startsWith("4") || line.startsWith("5")) return void socket.destroy();
      owed -= 1;
      if (owed > 0) return undefined;
      const message = take();
      if (step === "greeting") {
        step = "ehlo";
        owed = 1;
        socket.write("EHLO client.example\r\n");
      } else if (step === "group" && message !== undefined) {
        step = "content";
        owed = 1;
        socket.write(contentOf(message));
      } else {
        if (step === "content" && message !== undefined) accepted(message, /<([^>]+)>/.exec(line)?.[1] ?? "");
        begin();
      }
      return undefined;
    };
    socket.setEncoding("latin1").on("data", (text: string) => {
      const lines = (rest + text).split("\r\n");
      rest = lines.pop() ?? "";
      for (const line of lines) if (line[3] !== "-") reply(line);
    });
    socket.on("error", () => socket.destroy());
    socket.once("close", () => resolve());
  });
}
