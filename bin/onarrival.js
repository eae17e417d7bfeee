#!/usr/bin/env node
// The installed package carries compiled code (Node does not strip types below node_modules); a clone runs its sources.
import { existsSync } from "node:fs";

const compiled = new URL("../dist/src/main.js", import.meta.url);
await import(existsSync(compiled) ? compiled.href : new URL("../src/main.ts", import.meta.url).href);
