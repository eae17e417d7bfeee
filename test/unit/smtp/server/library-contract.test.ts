// The members of smtp-server that library-connection.ts stands on. When an update changes one, this fails before mail does.
import { createRequire } from "node:module";
import { SMTPServer } from "smtp-server";
import { SMTPConnection } from "smtp-server/lib/smtp-connection.js";
import { expect, test } from "vitest";

const sourceOf = (owner: object, name: string): string => String(Reflect.get(owner, name));

test("the version is the one this was written against", () => {
  const description: unknown = createRequire(import.meta.url)("smtp-server/package.json");
  expect(description).toMatchObject({ version: "3.21.6" });
});

test.each([
  "_createParser",
  "init",
  "_setListeners",
  "_resetSession",
  "_onTimeout",
  "_armTimeout",
  "_onError",
  "_onClose",
  "_onCloseEvent",
  "close",
  "upgrade",
])("a connection has the method %s", (name) => {
  expect(Reflect.get(SMTPConnection.prototype, name)).toBeTypeOf("function");
});

test("a server hands a ready socket to connect, and keeps what is still in a handshake", () => {
  const server = new SMTPServer({ logger: false, hideSTARTTLS: true });
  expect(Reflect.get(server, "connect")).toBeTypeOf("function");
  expect(Reflect.get(server, "_acceptSocket")).toBeTypeOf("function");
  expect(Reflect.get(server, "updateSecureContext")).toBeTypeOf("function");
  expect(Reflect.get(server, "_pendingSockets")).toBeInstanceOf(Map);
  expect(server.connections).toBeInstanceOf(Set);
  expect(server.server.listening).toBe(false);
});

test("the constructor makes its parser by _createParser and sets the options before", () => {
  const source = String(SMTPConnection);
  const optionsAt = source.indexOf("this._server = server");
  const parserAt = source.indexOf("this._parser = this._createParser()");
  expect(optionsAt).toBeGreaterThan(0);
  expect(parserAt).toBeGreaterThan(optionsAt);
});

test("the listeners pipe the socket into the parser before anything is answered", () => {
  const source = sourceOf(SMTPConnection.prototype, "_setListeners");
  expect(source.indexOf("this._socket.pipe(this._parser)")).toBeLessThan(source.indexOf("return callback()"));
});

test("the upgrade to TLS retires the parser that has seen plain text", () => {
  const source = sourceOf(SMTPConnection.prototype, "upgrade");
  expect(source).toMatch(
    /this\._parser\.isClosed = true;\s*this\._parser = this\._createParser\(\);\s*this\._upgrading = true;/,
  );
  expect(source).toMatch(/this\._socket\.pipe\(this\._parser\);\s*if \(typeof secureCallback/);
});

test("closing stops the parser and bounds the half-closed socket", () => {
  const source = sourceOf(SMTPConnection.prototype, "close");
  expect(source).toContain("this._parser.isClosed = true");
  expect(source).toContain("this._closeTimer = setTimeout");
});
