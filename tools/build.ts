// Makes dist/ (or the folder named), what the package carries: Node does not strip types below node_modules. `npm pack`
// calls it, after the types were checked. dist/ is laid out as the repository is, so that paths relative to a module hold in both.
import { spawnSync } from "node:child_process";
import { cp, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../", import.meta.url));
const dist = path.resolve(process.argv[2] ?? `${root}dist`);

await rm(dist, { recursive: true, force: true });
const compiler = fileURLToPath(new URL("../node_modules/typescript/bin/tsc", import.meta.url));
const { status } = spawnSync(
  process.execPath,
  [compiler, "-p", `${root}tsconfig.build.json`, "--outDir", dist],
  {
    stdio: "inherit",
  },
);
if (status !== 0) process.exit(status ?? 1);

// esbuild bundles the runtime of the isolates from its sources, in the package as in a clone.
await cp(`${root}runtime`, `${dist}/runtime`, { recursive: true, filter: (file) => !file.endsWith(".json") });
await mkdir(`${dist}/scripts`, { recursive: true });
for (const folder of ["types", "templates"])
  await cp(`${root}scripts/${folder}`, `${dist}/scripts/${folder}`, { recursive: true });
await cp(`${root}scripts/tsconfig.json`, `${dist}/scripts/tsconfig.json`);

const packageFile: Record<string, unknown> = JSON.parse(await readFile(`${root}package.json`, "utf8"));
const { name, version, type } = packageFile;
await writeFile(`${dist}/package.json`, `${JSON.stringify({ name, version, type }, undefined, 2)}\n`);
