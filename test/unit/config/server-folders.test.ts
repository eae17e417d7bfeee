import { writeFile } from "node:fs/promises";
import path from "node:path";
import { expect, test } from "vitest";
import { loadConfig } from "../../../src/config/load.ts";
import { type ServerFolders, serverFolders } from "../../../src/config/server-folders.ts";
import { tempFolder } from "../../support/temp-folder.ts";

async function foldersOf(text: string): Promise<{ folder: string; servers: ServerFolders[] }> {
  await using folder = await tempFolder();
  const file = path.join(folder.path, "onarrival.yaml");
  await writeFile(file, text);
  const config = await loadConfig(file);
  return {
    folder: folder.path,
    servers: config.virtualServers.map((server) => serverFolders(config, server)),
  };
}

test("single folders of a virtual server may lie elsewhere than in its mailroot", async () => {
  const { folder, servers } = await foldersOf(
    "mailroot: m\nvirtualServers: [{ folders: { drop: ../incoming, pickup: /srv/out } }]\n",
  );
  expect(servers).toEqual([
    {
      mailroot: path.join(folder, "m"),
      pickup: "/srv/out",
      queue: path.join(folder, "m/Queue"),
      drop: path.join(folder, "../incoming"),
      badmail: path.join(folder, "m/Badmail"),
    },
  ]);
});

test.each([
  ["Drop in Pickup, where its files would be sent again", "[{ folders: { drop: mailroot/Pickup } }]"],
  ["Badmail below Pickup", "[{ folders: { badmail: mailroot/Pickup/bad } }]"],
  ["Pickup of two servers", "[{ folders: { pickup: p } }, { name: b, folders: { pickup: p } }]"],
  ["a mailroot around the tracking log", "[{}, { name: b, folders: { drop: mailroot/Tracking/drop } }]"],
])("%s is refused", async (_, servers) => {
  await expect(foldersOf(`virtualServers: ${servers}\n`)).rejects.toThrow(/side by side|of its own/);
});

const PORT = 'listen: ["127.0.0.1:0"]';

test("the name of a virtual server leads nowhere else, and folders whose names begin alike are two", async () => {
  const { folder, servers } = await foldersOf(
    `virtualServers: [{}, { name: .., ${PORT} }, { name: b, mailroot: mail, folders: { drop: in, badmail: in2 }, ${PORT} }, { name: c, mailroot: mail2, ${PORT} }]\n`,
  );
  expect(servers.map(({ mailroot }) => path.relative(folder, mailroot))).toEqual([
    "mailroot",
    "mailroot/_",
    "mail",
    "mail2",
  ]);
});

test("virtual servers may name one folder of protocol logs as long as one of them writes there", async () => {
  const servers = (enabled: boolean): string =>
    `virtualServers: [{ protocolLog: { enabled: true, folder: log } }, { name: b, ${PORT}, protocolLog: { enabled: ${enabled}, folder: log } }]`;
  expect((await foldersOf(servers(false))).servers).toHaveLength(2);
  await expect(foldersOf(servers(true))).rejects.toThrow(
    "virtualServers[1].protocolLog.folder: is where an earlier virtual server",
  );
});
