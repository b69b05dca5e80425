import { detectEnvironment, loadPolicy } from '@holdfast/policy';
import { optionsFromPolicy, type PolicyOptions } from '@holdfast/server';
import type { ServeOptions } from '../serve-command.js';

/** Which of the flags were typed: those go before the policy. */
export type IsTyped = (flag: keyof ServeOptions) => boolean;

/** What a policy says, where no flag says otherwise. Throws HF_POLICY, and HF_OPTION where the environment is left open. */
export async function withPolicy(options: ServeOptions, file: string, isTyped: IsTyped): Promise<ServeOptions> {
  const { policy } = await loadPolicy(file, { environment: options.env });
  const { environment, because } = detectEnvironment(policy, options.env);
  const { drain } = environment;
  const said: Partial<ServeOptions> = {
    drainPropagation: drain.propagationMs,
    drainRate: drain.movesPerSecond,
    drainSpread: drain.spreadMs,
    drainDeadline: drain.deadlineMs,
    // The deadline of a policy runs from SIGTERM, that of the flag from when balancers have noticed.
    stopDeadline: drain.deadlineMs - drain.propagationMs,
    maxAge: drain.maxAgeMs,
    ageJitter: drain.ageJitter,
  };
  const taken = Object.entries(said).filter(
    ([flag, value]) => value !== undefined && !isTyped(flag as keyof ServeOptions),
  );
  const server: PolicyOptions = { ...optionsFromPolicy(environment) };
  // Whether connections are moved, and when, is a flag as well.
  delete server.rotation;
  return {
    ...options,
    ...Object.fromEntries(taken),
    policy: { path: policy.path, environment: environment.name, because, server },
  };
}
