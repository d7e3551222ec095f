/** Options of `parseArgs`. */
export interface ParseOptions<
  TBoolean extends string = string,
  TString extends string = string,
  TCollect extends string = string,
  TDefault extends Readonly<Record<string, unknown>> = Record<never, unknown>,
> {
  /** Names of options that take no value; false unless given. */
  boolean?: readonly TBoolean[];
  /** Names of options whose values stay strings; `_` means the arguments that belong to no option. */
  string?: readonly TString[];
  /** Names of options that may be repeated; `[]` unless given. */
  collect?: readonly TCollect[];
  /** Other names of options, by option. */
  alias?: Record<string, string | readonly string[]>;
  /** Values of options that are not given. */
  default?: TDefault;
  /** Leaves everything from the first argument that is no option in `_`. */
  stopEarly?: boolean;
  /** Called with every argument that no other option names; the argument is dropped if it returns false. */
  unknown?: (arg: string, key?: string, value?: unknown) => unknown;
}

/** The result of `parseArgs`. */
export type Args<
  TBoolean extends string = never,
  TString extends string = never,
  TCollect extends string = never,
  TDefault = Record<never, unknown>,
> =
  & { [Name in TBoolean]: boolean }
  & { [Name in Extract<TString, keyof TDefault>]: string | TDefault[Name] }
  & { [Name in Extract<TString, TCollect>]: string[] }
  & { [Name in Exclude<TString, TCollect | keyof TDefault>]?: string }
  & {
    /**
     * The arguments that belong to no option; what looks like a number is one, unless `string` names `_`. Upstream, and
     * so this facade, then has the type `string & ...`, which no value has.
     */
    _: Array<string | number>;
  };

/** Takes command line arguments apart. */
export function parseArgs<
  const TBoolean extends string = never,
  const TString extends string = never,
  const TCollect extends string = never,
  TDefault extends Readonly<Record<string, unknown>> = Record<never, unknown>,
>(
  args: string[],
  options?: ParseOptions<TBoolean, TString, TCollect, TDefault>,
): Args<TBoolean, TString, TCollect, TDefault>;
