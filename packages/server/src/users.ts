import { errors, HoldfastError, topicToWire } from '@holdfast/protocol';

/** What the topic of a user begins with. Applications cannot name such a topic themselves. */
const PREFIX = '~';

/** The topic that all sessions of a user follow: `~` and the name of the user. Throws HF_USER. */
export function userTopic(user: string): string {
  const topic = `${PREFIX}${user}`;
  if (typeof user !== 'string' || user === '' || topicToWire(topic) === undefined) {
    throw new HoldfastError(errors.USER, JSON.stringify(user));
  }
  return topic;
}

export const isUserTopic = (topic: string): boolean => topic.startsWith(PREFIX);

/** Whose sessions follow one of these topics. */
export function userOf(topics: Iterable<string>): string | undefined {
  for (const topic of topics) if (isUserTopic(topic)) return topic.slice(PREFIX.length);
  return undefined;
}
