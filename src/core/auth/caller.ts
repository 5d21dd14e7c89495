/** Who makes a call, after authentication. */
import type { Actor } from '../tree/rights';

/** What the access of a caller depends on, as it was when the caller proved itself. */
export interface Access {
  /** Rows of `access_epochs`. */
  readonly subjects: readonly number[];
  /** The sum of their epochs. */
  readonly epoch: number;
  /** When the password, token or key expires; null: never. */
  readonly valid_until: Date | null;
}

/** Proves the caller anew; undefined where it cannot any more. Throws the fault of those who may not call. */
export type Renew = () => Promise<Caller | undefined>;

/** A person, or a key that acts as one. */
export interface Person {
  /** Null: a key. */
  readonly uuid: string | null;
  readonly permission: number;
}

/** Who proved themselves, before anything was said about the call. */
export type Caller =
  | {
      readonly kind: 'login';
      readonly address: string;
      readonly login: string;
      /** Who it is, whatever its login: `user <uuid>` or `key <uuid>`. */
      readonly id: string;
      readonly actor: Actor;
      readonly access: Access;
      readonly renew: Renew;
      /** Where a face asks what the person itself may do, beside what its customer may. */
      readonly person?: Person;
    }
  | {
      readonly kind: 'trusted';
      readonly address: string;
      /** Null: the settings trust it, which nobody changes while the server runs. */
      readonly access: Access | null;
      readonly renew: Renew;
    }
  /** Somebody at the command line of the server itself. */
  | { readonly kind: 'operator'; readonly address: string };
