import { type Diagnostics, quote } from "./diagnostics.ts";
import { foldIscsiName, ISCSI_NAME_BYTES_MAX, iscsiNameProblem } from "./iscsi_name.ts";
import { NOTHING } from "./option_values.ts";

/** A name as the conf gives it. */
export interface WrittenName {
  readonly text: string;
  readonly line: number;
}

/** Hands out the names of one server's targets, none of them twice. */
export class TargetNames {
  readonly #node: string;
  readonly #diagnostics: Diagnostics;
  /** Who has an iSCSI name, in words. */
  readonly #holders = new Map<string, string>();

  /** @param node folded base of the targets' iSCSI names */
  constructor(node: string, diagnostics: Diagnostics) {
    this.#node = node;
    this.#diagnostics = diagnostics;
  }

  /** The iSCSI name of the target with that short name. */
  iscsiName(name: string): string {
    return `${this.#node}:${name}`;
  }

  /** Folds the name of a section; undefined when it cannot be a target's name, which has been reported. */
  takeName({ text, line }: WrittenName): string | undefined {
    const name = foldIscsiName(text);
    const problem = this.#shortNameProblem(name);
    const holder = this.#holders.get(this.iscsiName(name));
    if (problem !== undefined) {
      this.#diagnostics.error(line, `Cannot use target name ${quote(text)}: ${problem}`);
    } else if (holder !== undefined) {
      this.#diagnostics.error(
        line,
        `Duplicate section ${quote(`[${text}]`)}: ${holder} has that name already`,
      );
    } else {
      this.#holders.set(this.iscsiName(name), `[${text}] at line ${line}`);
      if (name !== text) {
        this.#diagnostics.warning(line, `Target name ${quote(text)} becomes ${quote(name)}: write it so`);
      }
      return name;
    }
    return undefined;
  }

  /**
   * The iSCSI name that an alias stands for; undefined when it cannot be one, which has been reported.
   *
   * @param owner folded name of the target that has the alias, if it has a good one
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
      this.#diagnostics.warning(line, `Alias ${quote(text)} becomes ${quote(alias)}: write it so`);
    }
    return iscsiName;
  }

  /** What keeps a folded name from being the last part of an iSCSI name. */
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
