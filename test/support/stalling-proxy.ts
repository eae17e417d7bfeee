// A TCP proxy for tests that passes everything on, until it is told to keep silent as a dead host does.
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";

export interface StallingProxy extends AsyncDisposable {
  readonly port: number;
  readonly connections: number;
  /** Of them, those that both sides still hold. */
  readonly open: number;
  /** Connections stay open and nothing passes any more, until `goOn`. */
  stall(): void;
  goOn(): void;
  /** Ends every connection, as a firewall does after a while. */
  cut(): void;
}

export async function startStallingProxy(target: number): Promise<StallingProxy> {
  const sockets = new Set<Socket>();
  let isStalled = false;
  let connections = 0;
  const server = createServer({ noDelay: true }, (client) => {
    connections += 1;
    const behind = connect({ port: target, host: "127.0.0.1", noDelay: true });
    for (const [from, to] of [
      [client, behind],
      [behind, client],
    ] as const) {
      sockets.add(from);
      from.on("data", (chunk) => to.write(chunk));
      from.on("error", () => from.destroy());
      from.on("close", () => {
        sockets.delete(from);
        to.destroy();
      });
      if (isStalled) from.pause();
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- of a server that listens on TCP
    port: (server.address() as AddressInfo).port,
    get connections() {
      return connections;
    },
    get open() {
      return sockets.size / 2;
    },
    stall() {
      isStalled = true;
      for (const socket of sockets) socket.pause();
    },
    goOn() {
      isStalled = false;
      for (const socket of sockets) socket.resume();
    },
    cut() {
      for (const socket of sockets) socket.destroy();
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
