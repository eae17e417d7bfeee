// Settings of what people and programs look at: the admin listener, the message tracking log, the protocol log.
import { isIP } from "node:net";
import { z } from "zod";
import { W3C_FIELDS } from "../core/w3c-fields.ts";
import { count, listenAddress, parseHostPort, size, restart, live } from "./values.ts";

const MIB = 1024 * 1024;

export const admin = z
  .strictObject({
    listen: listenAddress()
      .optional()
      .meta(restart("Address of GET /metrics and GET /healthz, as 127.0.0.1:9025; absent: there is none.")),
    allowRemote: z
      .boolean()
      .default(false)
      .meta(restart("Let listen be another address than one of this machine: whoever reaches it reads.")),
    hosts: z
      .array(
        z
          .string()
          .refine(
            (text) => /^[^\s:/@[\]]+$/.test(text) || isIP(text) === 6,
            'must be a name or an address, without brackets and port, as "watch.example.com"',
          ),
      )
      .default([])
      .meta(
        restart(
          "Names or addresses under which the listener is asked, beside that of listen and those of this machine (127.0.0.1, localhost): as those of a proxy before it, without port.",
        ),
      ),
  })
  .superRefine(({ listen, allowRemote }, context) => {
    if (listen === undefined || allowRemote || isLoopback(parseHostPort(listen)?.host ?? "")) return;
    context.addIssue({
      code: "custom",
      path: ["listen"],
      message:
        "is no loopback address: everybody who reaches it could read. Take 127.0.0.1, or set admin.allowRemote: true",
    });
  });

/** Names but localhost are refused: what they lead to is not ours to say. */
export const isLoopback = (host: string): boolean =>
  host === "localhost" || host === "::1" || (isIP(host) === 4 && host.startsWith("127."));

export const tracking = z.strictObject({
  enabled: z
    .boolean()
    .default(false)
    .meta(live("Write a line for each step of each message (operating.md).")),
  folder: z
    .string()
    .min(1)
    .optional()
    .meta(live("Folder of the files, relative to this file.", { defaultText: "Tracking in the mailroot" })),
  maxSize: size(MIB)
    .default(512 * MIB)
    .meta(live("Size of all files; the oldest go first.", { unit: "bytes" })),
  keepDays: count(1, 36_500)
    .default(30)
    .meta(live("How long files are kept.", { unit: "days" })),
});

export const protocolLog = z.strictObject({
  enabled: z
    .boolean()
    .default(false)
    .meta(restart("Write what clients and next hops say, in the W3C extended format (LogType).")),
  folder: z
    .string()
    .min(1)
    .optional()
    .meta(
      restart("Folder of the files, relative to this file.", {
        defaultText: "Protocol/<name> in the mailroot",
      }),
    ),
  maxSize: size(MIB)
    .default(256 * MIB)
    .meta(restart("Size of all files; the oldest go first.", { unit: "bytes" })),
  keepDays: count(1, 36_500)
    .default(7)
    .meta(restart("How long files are kept.", { unit: "days" })),
  fields: z
    .array(z.enum(W3C_FIELDS))
    .min(1)
    .default([...W3C_FIELDS])
    .meta(restart("Fields of a line, in this order.")),
});
