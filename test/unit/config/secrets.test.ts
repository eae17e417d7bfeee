import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { loadSecrets } from "../../../src/config/secrets.ts";
import { tempFolder } from "../../support/temp-folder.ts";

async function load(
  name: string,
  text: string,
  mode = 0o600,
  environment: Record<string, string> = {},
): Promise<Record<string, string> | string> {
  await using folder = await tempFolder();
  const file = join(folder.path, name);
  await writeFile(file, text);
  await chmod(file, mode);
  try {
    return Object.fromEntries(await loadSecrets(file, environment));
  } catch (error) {
    return String(error);
  }
}

describe("secrets come", () => {
  test("from NAME=value lines", async () => {
    const text = '# ours\n\nAPI_KEY=abc=def#1\r\nSPACED = " x "\nEMPTY=\nQUOTE="\n';
    expect(await load("secrets", text)).toEqual({
      API_KEY: "abc=def#1",
      SPACED: " x ",
      EMPTY: "",
      QUOTE: '"',
    });
  });

  test("from YAML", async () => {
    expect(await load("secrets.yaml", 'API_KEY: abc\nPEM: |\n  line 1\n  line 2\nPIN: "0123"\n')).toEqual({
      API_KEY: "abc",
      PEM: "line 1\nline 2\n",
      PIN: "0123",
    });
    expect(await load("secrets.yaml", "")).toEqual({});
  });

  test("from the environment, which wins", async () => {
    const environment = {
      ONARRIVAL_SECRET_A: "env",
      ONARRIVAL_SECRET_B: "b",
      "ONARRIVAL_SECRET_no-name": "x",
      PATH: "/",
    };
    expect(await load("secrets", "A=file\nC=c\n", 0o600, environment)).toEqual({ A: "env", B: "b", C: "c" });
    expect(Object.fromEntries(await loadSecrets(undefined, environment))).toEqual({ A: "env", B: "b" });
  });
});

describe("a secrets file is refused", () => {
  test.each([0o604, 0o602, 0o644, 0o666])("with mode %o, as ssh refuses its keys", async (mode) => {
    expect(await load("secrets", "A=a\n", mode)).toMatch(/everybody on this machine has rights/);
  });

  test.each([
    ["secrets", "A=a\nhunter2-without-name\n", /line 2 is no NAME=value/],
    ["secrets.yml", "A: 123456\n", /the value of A is no text/],
    ["secrets.yml", "- hunter2\n", /no list of NAME: value/],
    ["secrets.yml", "A: 'hunter2\n", /no YAML/],
    ["secrets.yml", "a-b: hunter2\n", /letters, digits and _/],
    ["secrets", `A=${"hunter2 ".repeat(2 ** 17)}`, /larger than 1048576 bytes/],
  ])("%s with %j, and the message tells no value", async (name, text, message) => {
    const found = await load(name, text);
    expect(found).toMatch(message);
    expect(found).not.toMatch(/hunter2|123456/);
  });

  test("when it is not there", async () => {
    await expect(loadSecrets("/nonexistent/secrets", {})).rejects.toMatchObject({ code: "SECRETS_UNUSABLE" });
  });
});
