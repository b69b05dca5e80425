import { createClient } from 'redis';

/** What does not agree within the keys of a store that nobody uses: indexes, counts, entries, followers. */
export async function audit(url: string, prefix: string): Promise<string[]> {
  const client = createClient({ url, RESP: 2 });
  await client.connect();
  try {
    const keys = (await client.keys(`${prefix}*`)).map((key) => key.slice(prefix.length));
    const named = (kind: string): string[] =>
      keys.filter((key) => key.startsWith(`${kind}:`)).map((key) => key.slice(kind.length + 1));
    const hash = (key: string): Promise<Record<string, string>> => client.hGetAll(prefix + key);
    const scores = async (key: string): Promise<string[]> =>
      (await client.zRangeWithScores(prefix + key, 0, -1)).map(({ value, score }) => `${key} ${value} ${score}`);

    const is: string[] = [];
    const should: string[] = [];
    const followers = new Map<string, number>();
    let [entries, bytes] = [0, 0];
    const log = async (
      stream: string,
      fields: Record<string, string>,
      whenEmpty: number | undefined,
    ): Promise<void> => {
      const count = Number(fields['fin']) - Number(fields['first']) + 1;
      entries += count;
      bytes += Number(fields['bytes']);
      is.push(`${stream} has ${await client.lLen(`${prefix}e:${stream}`)} entries, ${fields['oldest'] !== ''}`);
      should.push(`${stream} has ${count} entries, ${count > 0}`);
      const due = fields['oldest'] === '' ? whenEmpty : Number(fields['oldest']);
      if (due !== undefined) should.push(`due ${stream} ${due}`);
    };

    for (const id of named('s')) {
      const session = await hash(`s:${id}`);
      await log(`s:${id}`, session, undefined);
      const isDetached = session['detached'] !== '';
      should.push(`own:${session['pod']} ${id} ${isDetached ? Infinity : session['life']}`, `owner ${session['pod']}`);
      if (isDetached) should.push(`detached ${id} ${Number(session['detached']) + Number(session['life'])}`);
    }
    for (const id of named('c')) {
      if (!named('s').includes(id)) is.push(`cursors of nobody: ${id}`);
      for (const topic of Object.keys(await hash(`c:${id}`))) {
        followers.set(topic, (followers.get(topic) ?? 0) + 1);
        should.push(`f:${topic} ${id} 0`);
      }
    }
    for (const name of named('t')) {
      const topic = await hash(`t:${name}`);
      const idle = topic['idle'] === '' ? -Infinity : Number(topic['idle']);
      await log(`t:${name}`, topic, Number(topic['followers']) > 0 ? undefined : idle);
      is.push(`${name} has ${topic['followers']} followers`);
      should.push(`${name} has ${followers.get(name) ?? 0} followers`);
      followers.delete(name);
    }
    is.push(...[...followers.keys()].map((name) => `no topic ${name}`));
    is.push(...(await scores('due')), ...(await scores('detached')));
    for (const topic of named('f')) is.push(...(await scores(`f:${topic}`)));
    for (const pod of named('own')) is.push(...(await scores(`own:${pod}`)));
    is.push(...(await client.sMembers(`${prefix}owners`)).map((pod) => `owner ${pod}`));
    const meta = await hash('meta');
    is.push(`${meta['sessions']} ${meta['topics']} ${meta['entries']} ${meta['bytes']} counted`);
    should.push(`${named('s').length} ${named('t').length} ${entries} ${bytes} counted`);
    for (const stream of named('e')) if (!keys.includes(stream)) is.push(`entries of nobody: ${stream}`);
    const [actual, expected] = [new Set(is), new Set(should)];
    return [
      ...is.filter((each) => !expected.has(each)).map((each) => `is: ${each}`),
      ...should.filter((each) => !actual.has(each)).map((each) => `should be: ${each}`),
    ];
  } finally {
    client.destroy();
  }
}
