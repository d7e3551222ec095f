/**
 * Decoders for values from workers that are not trusted. They reject values without the expected shape and size. The
 * result is a copy with exactly the expected fields.
 */
import { escapeControls } from "../iscsi/events/peer_text.ts";

/** Longest text of a message. */
const TEXT_LENGTH_MAX = 65_536;

/** Most items of a list. */
const ITEMS_MAX = 1_048_576;

/** A value that does not have the expected shape. */
export class MalformedValue extends Error {
  override readonly name = "MalformedValue";
  readonly reason: string;
  /** The path of the value within the message; empty for the message itself. */
  readonly place: string;

  /** @param reason the fault, such as `not a text` */
  constructor(reason: string, place = "") {
    super(`${place === "" ? "it" : place} is ${reason}`);
    this.reason = reason;
    this.place = place;
  }
}

/**
 * Returns a checked copy of a value.
 *
 * @throws {MalformedValue}
 */
export type Decoder<T> = (value: unknown) => T;

/** A decoder for each field. That of an optional field returns undefined when it is missing. */
export type FieldDecoders<T> = {
  readonly [Name in keyof T]-?: Decoder<
    Record<never, never> extends Pick<T, Name> ? T[Name] | undefined : T[Name]
  >;
};

/** Decodes a text, and escapes its control characters, because it may reach a log or a terminal. */
export function text(value: unknown): string {
  return escapeControls(anyText(value));
}

/** Decodes the path of a file. Rejects control characters other than tabs, which no conf contains. */
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

/** Decodes a finite number. */
export function number(value: unknown): number {
  if (typeof value !== "number" || !Number.isFinite(value)) throw new MalformedValue("not a number");
  return value;
}

/** Decodes a whole number of at least 0. */
export function count(value: unknown): number {
  if (!Number.isSafeInteger(value) || (value as number) < 0) throw new MalformedValue("not a whole number");
  return value as number;
}

/** Decodes true or false. */
export function boolean(value: unknown): boolean {
  if (typeof value !== "boolean") throw new MalformedValue("neither true nor false");
  return value;
}

/** Decodes null. */
export function nothing(value: unknown): null {
  if (value !== null) throw new MalformedValue("not null");
  return value;
}

/** Returns any value, to be decoded later. */
export function unchecked(value: unknown): unknown {
  return value;
}

/** Decodes one of these texts. */
export function oneOf<T extends string>(texts: readonly T[]): Decoder<T> {
  return (value) => {
    if (!texts.includes(value as T)) throw new MalformedValue(`none of ${texts.join(", ")}`);
    return value as T;
  };
}

/** Decodes null, or a value by another decoder. */
export function orNull<T>(decode: Decoder<T>): Decoder<T | null> {
  return (value) => value === null ? null : decode(value);
}

/** Decodes undefined, or a value by another decoder. */
export function optional<T>(decode: Decoder<T>): Decoder<T | undefined> {
  return (value) => value === undefined ? undefined : decode(value);
}

/** Decodes a list, each item by another decoder. */
export function listOf<T>(decode: Decoder<T>): Decoder<T[]> {
  return (value) => {
    if (!Array.isArray(value)) throw new MalformedValue("not a list");
    if (value.length > ITEMS_MAX) throw new MalformedValue(`more than ${ITEMS_MAX} items`);
    // `map` would skip the holes of a sparse list.
    return Array.from(value, (item, index) => within(`[${index}]`, decode, item));
  };
}

/** Decodes an object with these fields. */
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

/** Decodes an object with values for some of these names. */
export function someOf<Name extends string, T>(
  names: readonly Name[],
  decode: Decoder<T>,
): Decoder<Partial<Record<Name, T>>> {
  return record<Partial<Record<string, T>>>(
    Object.fromEntries(names.map((name) => [name, optional(decode)])),
  ) as Decoder<Partial<Record<Name, T>>>;
}

/** Decodes an object with a value for each of these names. */
export function eachOf<Name extends string, T>(
  names: readonly Name[],
  decode: Decoder<T>,
): Decoder<Record<Name, T>> {
  return record<Record<string, T>>(
    Object.fromEntries(names.map((name) => [name, decode])),
  ) as Decoder<Record<Name, T>>;
}

/** Decodes an object by the decoder for its field `kind`. */
export function variants<T extends { readonly kind: string }>(
  decoders: { readonly [Kind in T["kind"]]: Decoder<Extract<T, { readonly kind: Kind }>> },
): Decoder<T> {
  const kindOf = record<{ kind: T["kind"] }>({ kind: oneOf(Object.keys(decoders) as T["kind"][]) });
  return (value) => {
    const { kind } = kindOf(value);
    return within(kind, decoders[kind], value);
  };
}

/** Decodes a value, and adds its place in the message to an error. */
export function within<T>(place: string, decode: Decoder<T>, value: unknown): T {
  try {
    return decode(value);
  } catch (error) {
    if (!(error instanceof MalformedValue)) throw error;
    throw new MalformedValue(error.reason, `${place}${error.place}`);
  }
}
