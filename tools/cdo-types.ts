// Reads scripts/types/cdo.d.ts: every interface and constant of the module "cdo" with what its comment says of it.
import { readFileSync } from "node:fs";
import { parseSync, type Comment } from "oxc-parser";

/** How a member stands to the original. `note` says how it differs; `error` is what one that is not served raises. */
export type Mark =
  | { readonly kind: "original" }
  | { readonly kind: "differs" | "extension"; readonly note: string }
  | { readonly kind: "not served"; readonly error: string; readonly note: string };

export interface Documented {
  readonly name: string;
  /** As declared, on one line. */
  readonly signature: string;
  readonly text: string;
  readonly example: string;
  readonly mark: Mark;
  /** Sections of the reference, as "1.3.1". */
  readonly sections: readonly string[];
}

export interface DocumentedMember extends Documented {
  readonly kind: "property" | "method" | "call";
  readonly readonly: boolean;
}

export interface DocumentedClass extends Documented {
  readonly members: readonly DocumentedMember[];
}

export interface CdoTypes {
  readonly classes: readonly DocumentedClass[];
  /** `signature` is the value. */
  readonly constants: readonly Documented[];
}

export const CDO_TYPES = "scripts/types/cdo.d.ts";

interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [key: string]: unknown;
}

const isNode = (value: unknown): value is Node =>
  typeof value === "object" && value !== null && "type" in value && typeof value.type === "string";
const nodesOf = (value: unknown): readonly Node[] => (Array.isArray(value) ? value.filter(isNode) : []);
const child = (node: Node, ...path: readonly string[]): Node | undefined => {
  let at: unknown = node;
  for (const key of path) at = isNode(at) ? at[key] : undefined;
  return isNode(at) ? at : undefined;
};
const textOf = (value: unknown): string => (typeof value === "string" ? value : "");

export const readCdoTypes = (): CdoTypes => new TypesReader(readFileSync(CDO_TYPES, "utf8")).read();

class TypesReader {
  readonly #source: string;
  readonly #comments: readonly Comment[];
  readonly #body: readonly Node[];

  constructor(source: string) {
    const { program, comments, errors } = parseSync("cdo.d.ts", source);
    if (errors.length > 0) throw new Error(`${CDO_TYPES}: ${errors[0]?.message ?? "does not parse"}`);
    this.#source = source;
    this.#comments = comments.filter((comment) => comment.type === "Block");
    const module = nodesOf(program.body).find((node) => node.type === "TSModuleDeclaration");
    this.#body = module === undefined ? [] : nodesOf(child(module, "body")?.["body"]);
  }

  read(): CdoTypes {
    const classes: DocumentedClass[] = [];
    const constants: Documented[] = [];
    for (const statement of this.#body) {
      const declaration = child(statement, "declaration");
      if (declaration?.type === "TSInterfaceDeclaration") classes.push(this.#class(statement, declaration));
      if (declaration?.type !== "VariableDeclaration") continue;
      const constant = this.#constant(statement, declaration);
      // The others are objects, described by their types.
      if (/^["\d-]/.test(constant.signature)) constants.push(constant);
    }
    return { classes, constants };
  }

  #class(statement: Node, declaration: Node): DocumentedClass {
    const name = textOf(child(declaration, "id")?.["name"]);
    const members: DocumentedMember[] = [];
    for (const node of nodesOf(child(declaration, "body")?.["body"])) this.#addMember(members, node);
    const described = this.#documented(name, "", statement);
    // What the original did not have as a whole, it did not have in part.
    const isOurs = described.mark.kind === "extension";
    return {
      ...described,
      members: members.map((member) =>
        isOurs && member.mark.kind !== "extension"
          ? { ...member, mark: { kind: "extension", note: "" } }
          : member,
      ),
    };
  }

  /** Overloads and setters add their signature to the member that is there. */
  #addMember(members: DocumentedMember[], node: Node): void {
    const key = child(node, "key");
    const name = textOf(key?.["name"]) || textOf(key?.["value"]);
    const isCall = node.type === "TSCallSignatureDeclaration";
    if (node.type === "TSMethodSignature" && node["kind"] === "set") return;
    const signature = this.#source
      .slice(node.start, node.end)
      .replaceAll(/\s+/g, " ")
      .replace(/;$/, "")
      .replace(/^readonly /, "")
      .replace(/^get (\w+)\(\)/, "$1")
      .replaceAll(/\( | \)|,(?= \))/g, (match) => match.trim());
    const at = members.findIndex((member) => member.name === name);
    const earlier = members[at];
    if (earlier !== undefined) {
      members[at] = { ...earlier, signature: `${earlier.signature}\n${signature}` };
      return;
    }
    const isMethod = node.type === "TSMethodSignature" && node["kind"] === "method";
    members.push({
      ...this.#documented(name, signature, node),
      kind: isCall ? "call" : isMethod ? "method" : "property",
      readonly: node["readonly"] === true,
    });
  }

  #constant(statement: Node, declaration: Node): Documented {
    const name = textOf(child(nodesOf(declaration["declarations"])[0] ?? declaration, "id")?.["name"]);
    const value = /:\s*([\s\S]*?);?$/.exec(this.#source.slice(statement.start, statement.end))?.[1] ?? "";
    return this.#documented(name, value.trim(), statement);
  }

  #documented(name: string, signature: string, node: Node): Documented {
    const comment = this.#comments.findLast(
      ({ end }) => end <= node.start && this.#source.slice(end, node.start).trim() === "",
    );
    const lines = (comment?.value ?? "").split("\n").map((line) => line.replace(/^\s*\*? ?/, "").trimEnd());
    const [before = "", example = ""] = lines.join("\n").split(/^\s*@example$/m);
    const [text = "", ...tags] = before.split(/^\s*(?=@)/m).map(flat);
    const described = text.startsWith("@") ? ["", text, ...tags] : [text, ...tags];
    return {
      name,
      signature,
      text: (described[0] ?? "").replaceAll(/\s*CDO reference [\d., and]*\d\.?/g, "").trim(),
      example: example.trim(),
      mark: markOf(name, described.slice(1)),
      sections: [...flat(before).matchAll(/CDO reference ([\d., and]*\d)/g)].flatMap(
        ([, list = ""]) => list.match(/\d+(?:\.\d+)+/g) ?? [],
      ),
    };
  }
}

const flat = (text: string): string => text.replaceAll(/\s+/g, " ").trim();

function markOf(name: string, tags: readonly string[]): Mark {
  for (const tag of tags) {
    const cdo = /^@cdo (differs|extension): (.+)$/.exec(tag);
    if (cdo !== null) return { kind: cdo[1] === "differs" ? "differs" : "extension", note: cdo[2] ?? "" };
    const gone = /^@deprecated not served: raises (\w+)\.?\s*(.*)$/.exec(tag);
    if (gone !== null) {
      const note = (gone[2] ?? "").replaceAll(/\s*CDO reference [\d., and]*\d\.?/g, "").trim();
      return { kind: "not served", error: gone[1] ?? "", note };
    }
    throw new Error(`${CDO_TYPES}: ${name} has a tag that means nothing: ${tag}`);
  }
  return { kind: "original" };
}
