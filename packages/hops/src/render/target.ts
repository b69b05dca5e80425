import { errors, HoldfastError } from '@holdfast/protocol';
import type { Environment, Policy } from '@holdfast/policy';

/** The programs and platforms that a policy is rendered for, in the order in which they are rendered. */
export const TARGET_NAMES = [
  'ingress-nginx',
  'nginx',
  'kubernetes',
  'gateway-api',
  'haproxy',
  'envoy',
  'istio',
  'cloud-run',
  'aws',
] as const;
export type TargetName = (typeof TARGET_NAMES)[number];

/** One file of a target, before its heading. */
export interface Body {
  /** Relative to the target's folder, with `/`. */
  readonly path: string;
  readonly text: string;
}

export interface Target {
  /** One line for a help text. */
  readonly summary: string;
  /** Whether an environment has a place for it, so that it is rendered without being asked for. */
  fits(env: Environment): boolean;
  /** @throws HoldfastError `HF_RENDER` when the policy wants what the target cannot do. */
  render(env: Environment, notes: Notes, policy: Policy): readonly Body[];
}

/** What a person must know about a rendering: what is done elsewhere, and what the target leaves to others. */
export class Notes {
  readonly #notes = new Set<string>();

  add(note: string): void {
    this.#notes.add(note);
  }

  get all(): readonly string[] {
    return [...this.#notes];
  }
}

/** Throws where routes differ in how they stick, for a target that has one way for the whole Service. */
export function checkOneStickiness(target: TargetName, { routes, stickiness }: Environment, what: string): void {
  if (routes.every((route) => JSON.stringify(route.stickiness) === JSON.stringify(stickiness))) return;
  const instead = `${what} has one for the whole Service: set it for the environment`;
  throw unsupported(target, 'a stickiness of one route', instead);
}

/** A wish of the policy that a target cannot fulfil. It is refused: a wish that is silently dropped is found in production. */
export function unsupported(target: TargetName, wish: string, instead: string): HoldfastError {
  return new HoldfastError(errors.RENDER, `${target} cannot do this: ${wish}; ${instead}`);
}
