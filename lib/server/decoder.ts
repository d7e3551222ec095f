/**
 * Checks of values that another part of the program has posted, and that are not believed: what is not of the expected
 * shape and size is refused. The result is a copy that has the expected fields and no others.
 */
import { escapeControls } from "../iscsi/events/peer_text.ts";

/** Longest text of a message. */
const TEXT_LENGTH_MAX = 65_536;

/** Most items of a list. */
const ITEMS_MAX = 1_048_576;

/** A value that is not what it should be. */
export class MalformedValue extends Error {
  override readonly name = "MalformedValue";
  readonly reason: string;
  /** Where in a message it stands; empty for the message itself. */
  readonly place: string;

  /** @param reason what it is, such as `not a text` */
  constructor(reason: string, place = "") {
    super(`${place === "" ? "it" : place} is ${reason}`);
    this.reason = reason;
    this.place = place;
  }
}

/**
 * Returns a value if it is what it should be.
 *
 * @throws {MalformedValue}
 */
export type Decoder<T> = (value: unknown) => T;

/** A decoder for each field; the one of a field that may be missing returns undefined for it. */
export type FieldDecoders<T> = {
  readonly [Name in keyof T]-?: Decoder<
    Record<never, never> extends Pick<T, Name> ? T[Name] | undefined : T[Name]
  >;
};

/** Takes a text, whose control characters are written out: it may end up in a log or on a terminal. */
export function text(value: unknown): string {
  return escapeControls(anyText(value));
}

/** Takes the path of a file: no conf has one with control characters, but for tabs. */
export function path(value: unknown): string {
  const path = anyText(value);
  if (/[^\P{Cc}\t]|[\p{Zl}\p{Zp}]/u.test(path)) throw new MalformedValue("no path");
  return path;
}

function anyText(value: unknown): string {
  if (typeof value !== "string") throw new MalformedValue("not a text");
  if (value.length > TEXT_LENGTH_MAX) throw new MalformedValue(`longer than ${TEXT_LENGTH_MAX} characters`);
  return value;
}

/** Takes a number that is neither infinite nor none. */
export function number(value: unknown): number {
  if (typeof value !== "number" || !Number.isFinite(value)) throw new MalformedValue("not a number");
  return value;
}

/** Takes a whole number from 0. */
export function count(value: unknown): number {
  if (!Number.isSafeInteger(value) || (value as number) < 0) throw new MalformedValue("not a whole number");
  return value as number;
}

/** Takes true or false. */
export function boolean(value: unknown): boolean {
  if (typeof value !== "boolean") throw new MalformedValue("neither true nor false");
  return value;
}

/** Takes null. */
export function nothing(value: unknown): null {
  if (value !== null) throw new MalformedValue("not null");
  return value;
}

/** Takes a value whose decoder is not known yet. */
export function unchecked(value: unknown): unknown {
  return value;
}

/** Takes one of these texts. */
export function oneOf<T extends string>(texts: readonly T[]): Decoder<T> {
  return (value) => {
    if (!texts.includes(value as T)) throw new MalformedValue(`none of ${texts.join(", ")}`);
    return value as T;
  };
}

/** Takes what another decoder takes, and null. */
export function orNull<T>(decode: Decoder<T>): Decoder<T | null> {
  return (value) => value === null ? null : decode(value);
}

/** Takes what another decoder takes, and undefined. */
export function optional<T>(decode: Decoder<T>): Decoder<T | undefined> {
  return (value) => value === undefined ? undefined : decode(value);
}

/** Takes a list of what another decoder takes. */
export function listOf<T>(decode: Decoder<T>): Decoder<T[]> {
  return (value) => {
    if (!Array.isArray(value)) throw new MalformedValue("not a list");
    if (value.length > ITEMS_MAX) throw new MalformedValue(`more than ${ITEMS_MAX} items`);
    // What a sparse list lacks, `map` would pass over.
    return Array.from(value, (item, index) => within(`[${index}]`, decode, item));
  };
}

/** Takes an object with these fields. */
export function record<T>(decoders: FieldDecoders<T>): Decoder<T> {
  const fields = Object.entries(decoders) as [string, Decoder<unknown>][];
  return (value) => {
    if (typeof value !== "object" || value === null) throw new MalformedValue("not an object");
    const result: Record<string, unknown> = {};
    for (const [name, decode] of fields) {
      const field = within(
        `.${name}`,
        decode,
        Object.hasOwn(value, name) ? Reflect.get(value, name) : undefined,
      );
      if (field !== undefined) result[name] = field;
    }
    return result as T;
  };
}

/** Takes an object that has a value for some of these names. */
export function someOf<Name extends string, T>(
  names: readonly Name[],
  decode: Decoder<T>,
): Decoder<Partial<Record<Name, T>>> {
  return record<Partial<Record<string, T>>>(
    Object.fromEntries(names.map((name) => [name, optional(decode)])),
  ) as Decoder<Partial<Record<Name, T>>>;
}

/** Takes an object that has a value for each of these names. */
export function eachOf<Name extends string, T>(
  names: readonly Name[],
  decode: Decoder<T>,
): Decoder<Record<Name, T>> {
  return record<Record<string, T>>(
    Object.fromEntries(names.map((name) => [name, decode])),
  ) as Decoder<Record<Name, T>>;
}

/** Takes an object that one of these decoders takes: the one of its field `kind`. */
export function variants<T extends { readonly kind: string }>(
  decoders: { readonly [Kind in T["kind"]]: Decoder<Extract<T, { readonly kind: Kind }>> },
): Decoder<T> {
  const kindOf = record<{ kind: T["kind"] }>({ kind: oneOf(Object.keys(decoders) as T["kind"][]) });
  return (value) => {
    const { kind } = kindOf(value);
    return within(kind, decoders[kind], value);
  };
}

/** Takes what a decoder takes, and says of anything else where in a message it stands. */
export function within<T>(place: string, decode: Decoder<T>, value: unknown): T {
  try {
    return decode(value);
  } catch (error) {
    if (!(error instanceof MalformedValue)) throw error;
    throw new MalformedValue(error.reason, `${place}${error.place}`);
  }
}
