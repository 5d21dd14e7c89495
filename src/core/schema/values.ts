/**
 * The values that a caller may send, as a face hands them to the core: the wire's types, not yet
 * the parameters' types. `core/schema/parameters.ts` turns them into what a method declares.
 *
 * int → number · double → Double · boolean → boolean · string → string · nil → null ·
 * array → Value[] · struct → Struct · dateTime → DateTime · base64 → Uint8Array.
 * A scalar whose text does not fit its tag (`<int>12abc</int>`) is Unreadable: the parameter that
 * it stands for is then named by fault 400, which a parser could not do.
 */
export type Value =
  null | boolean | number | string | Double | DateTime | Unreadable | Uint8Array | Value[] | Struct;

/** Members by name; a Map, because a member may be called `__proto__`. */
export type Struct = Map<string, Value>;

/** A floating-point number of the wire: kept apart from an int, as the two are not interchangeable. */
export class Double {
  constructor(readonly value: number) {}
}

/** A date of the wire, as written. */
export class DateTime {
  constructor(readonly text: string) {}
}

/** A scalar whose text does not fit its type, such as `12abc` in an int. */
export class Unreadable {
  constructor(
    readonly type: string,
    /** As it is shown: the face cuts it short. */
    readonly text: string,
  ) {}
}
