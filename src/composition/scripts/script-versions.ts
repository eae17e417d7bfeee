// Which scripts are not what they were: another version, new, gone, or disabled since.

export class ScriptVersions {
  /** By name, as the last chain had them. */
  #known = new Map<string, string>();

  /** Names of those that changed since the last call. */
  changed(
    scripts: ReadonlyMap<string, { readonly version: string }>,
    disabled: ReadonlySet<string>,
  ): string[] {
    const before = this.#known;
    this.#known = new Map(
      [...scripts].map(([name, { version }]) => [name, disabled.has(name) ? `${version} disabled` : version]),
    );
    const names = new Set([...before.keys(), ...this.#known.keys()]);
    return [...names].filter((name) => before.get(name) !== this.#known.get(name));
  }
}
