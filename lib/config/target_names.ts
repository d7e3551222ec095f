import { type Diagnostics, quote } from "./diagnostics.ts";
import { foldIscsiName, ISCSI_NAME_BYTES_MAX, iscsiNameProblem } from "./iscsi_name.ts";
import { NOTHING } from "./option_values.ts";

/** A name in the conf. */
export interface WrittenName {
  readonly text: string;
  readonly line: number;
}

/** The names of one server's targets, each taken once. */
export class TargetNames {
  readonly #node: string;
  readonly #diagnostics: Diagnostics;
  /** The section or alias that has taken an iSCSI name, in words. */
  readonly #holders = new Map<string, string>();

  /** @param node folded base of the targets' iSCSI names */
  constructor(node: string, diagnostics: Diagnostics) {
    this.#node = node;
    this.#diagnostics = diagnostics;
  }

  /** Returns the iSCSI name of the target with a short name. */
  iscsiName(name: string): string {
    return `${this.#node}:${name}`;
  }

  /** Takes the name of a section, and returns it folded; reports an unusable one, and returns undefined. */
  takeName({ text, line }: WrittenName): string | undefined {
    const name = foldIscsiName(text);
    const problem = this.#shortNameProblem(name);
    const holder = this.#holders.get(this.iscsiName(name));
    if (problem !== undefined) {
      this.#diagnostics.error(line, `Cannot use target name ${quote(text)}: ${problem}`);
    } else if (holder !== undefined) {
      this.#diagnostics.error(
        line,
        `Duplicate section ${quote(`[${text}]`)}: ${holder} has that name already; rename or merge one`,
      );
    } else {
      this.#holders.set(this.iscsiName(name), `[${text}] at line ${line}`);
      if (name !== text) {
        this.#diagnostics.warning(
          line,
          `Target name ${quote(text)} is used as ${quote(name)}; write it that way`,
        );
      }
      return name;
    }
    return undefined;
  }

  /**
   * Takes an alias, and returns its iSCSI name; reports one that cannot be used, and returns undefined.
   *
   * @param owner folded name of the target that has the alias; undefined when its name is invalid
   */
  takeAlias({ text, line }: WrittenName, owner: string | undefined): string | undefined {
    const alias = foldIscsiName(text);
    const isFullName = /^(iqn|eui|naa)\./.test(alias);
    const iscsiName = isFullName ? alias : this.iscsiName(alias);
    const holder = this.#holders.get(iscsiName);
    const problem = (isFullName ? iscsiNameProblem(alias) : this.#shortNameProblem(alias)) ??
      (alias === NOTHING
        ? `remove the line to have no alias; write ${quote(iscsiName)} if that is the name`
        : owner !== undefined && iscsiName === this.iscsiName(owner)
        ? "it is the target's own name; remove the line"
        : holder && `${holder} has that name already; choose another`);
    if (problem !== undefined) {
      this.#diagnostics.error(line, `Cannot use alias ${quote(text)}: ${problem}`);
      return undefined;
    }
    this.#holders.set(iscsiName, `the alias at line ${line}`);
    if (alias !== text) {
      this.#diagnostics.warning(line, `Alias ${quote(text)} is used as ${quote(alias)}; write it that way`);
    }
    return iscsiName;
  }

  /** Returns the problem with a folded name that cannot be the last part of an iSCSI name. */
  #shortNameProblem(name: string): string | undefined {
    const prohibited = /[^a-z0-9\-.:]/u.exec(name)?.[0];
    if (prohibited !== undefined) {
      return `it contains ${JSON.stringify(prohibited)}; write only a-z, 0-9, "-", "." and ":"`;
    }
    const excess = this.iscsiName(name).length - ISCSI_NAME_BYTES_MAX;
    if (excess <= 0) return undefined;
    return `its IQN is longer than ${ISCSI_NAME_BYTES_MAX} bytes; shorten it by ${excess}`;
  }
}
