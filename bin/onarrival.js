#!/usr/bin/env node
// A clone runs its sources; the installed package carries compiled code, since Node does not strip types below node_modules.
import { existsSync } from "node:fs";

const sources = new URL("../src/main.ts", import.meta.url);
await import(existsSync(sources) ? sources.href : new URL("../dist/src/main.js", import.meta.url).href);
