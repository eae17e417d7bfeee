// The way to a directory server: a TCP connection, with TLS from the first byte where the address says so.
import { type Socket, connect, isIP } from "node:net";
import { type ConnectionOptions, type TLSSocket, connect as connectTls } from "node:tls";
import type { LdapTls } from "./ldap-settings.ts";

const PORTS = { ldap: 389, ldaps: 636 };

export interface LdapServerAddress {
  readonly isSecure: boolean;
  readonly host: string;
  readonly port: number;
}

export function parseLdapUrl(text: string): LdapServerAddress {
  const url = new URL(text);
  const isSecure = url.protocol === "ldaps:";
  const usual = isSecure ? PORTS.ldaps : PORTS.ldap;
  return {
    isSecure,
    host: url.hostname.replace(/^\[(.*)\]$/, "$1"),
    port: url.port === "" ? usual : Number(url.port),
  };
}

export const connectTcp = ({ host, port }: LdapServerAddress): Socket =>
  connect({ host, port, noDelay: true, keepAlive: true });

/** The server has to prove that it is the one that was meant: the password is for it alone. */
export function secure(socket: Socket, { host }: LdapServerAddress, tls: LdapTls): Promise<TLSSocket> {
  const name = tls.name ?? host;
  const options: ConnectionOptions = {
    socket,
    host: name,
    minVersion: tls.minVersion,
    // RFC 6066 §3: no address goes into SNI.
    ...(isIP(name) === 0 && { servername: name }),
    ...(tls.authorities !== undefined && { ca: tls.authorities }),
  };
  return opened(connectTls(options), "secureConnect");
}

/** Whoever waits is told of an error; later ones are told by the close that follows. */
export function opened<T extends Socket>(socket: T, event: "connect" | "secureConnect"): Promise<T> {
  return new Promise((resolve, reject) => {
    const closed = (): void => reject(new Error("the server closed the connection"));
    socket.once(event, () => {
      socket.off("close", closed);
      resolve(socket);
    });
    socket.on("error", reject);
    socket.once("close", closed);
  });
}
