// Reads the header of the PROXY protocol from a fresh socket, before its session or its TLS handshake.
import type { Socket } from "node:net";
import { type ProxiedClient, readProxyHeader } from "./proxy-header.ts";

type Found = (error: Error | null, client?: ProxiedClient) => void;

/** What follows the header stays in the socket. Exactly one call of `found`. */
export function readProxiedClient(socket: Socket, found: Found): void {
  let bytes: Buffer = Buffer.alloc(0);
  const end = (error: Error | null, client?: ProxiedClient): void => {
    socket.off("readable", onReadable).off("error", end).off("close", onGone).off("end", onGone);
    found(error, client);
  };
  const onGone = (): void => end(new Error("closed before its PROXY header"));
  const onReadable = (): void => {
    for (let chunk: Buffer | null = socket.read(); chunk !== null; chunk = socket.read()) {
      bytes = Buffer.concat([bytes, chunk]);
      const header = readProxyHeader(bytes);
      if (header.kind === "more") continue;
      if (header.kind === "invalid") return end(new Error("no PROXY header"));
      if (header.length < bytes.length) socket.unshift(bytes.subarray(header.length));
      return end(null, header.client);
    }
  };
  socket.on("readable", onReadable).on("error", end).on("close", onGone).on("end", onGone);
}
