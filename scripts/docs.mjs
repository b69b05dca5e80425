/**
 * What the documentation takes from the code: the registries and the tables of the protocol, as Markdown. Pure, so that a test
 * can hold the files to it and the command can write them.
 *
 * @typedef {typeof import('@holdfast/protocol')} Protocol
 * @typedef {import('@holdfast/protocol').Phase} Phase
 * @typedef {import('@holdfast/protocol').FrameType} FrameType
 */

/** @param {readonly string[]} head @param {readonly (readonly string[])[]} rows */
function table(head, rows) {
  const line = (/** @type {readonly string[]} */ cells) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

const code = (/** @type {string | number} */ text) => `\`${text}\``;

/** @param {readonly [from: string, to: string, label: string][]} edges @param {string} first @param {string} last */
function diagram(edges, first, last) {
  /** @type {Map<string, string[]>} */
  const labels = new Map();
  for (const [from, to, label] of edges) {
    const key = `${from} --> ${to}`;
    labels.set(key, [...(labels.get(key) ?? []), label]);
  }
  const lines = Array.from(labels, ([key, all]) => `    ${key}: ${all.join(', ')}`);
  return ['```mermaid', 'stateDiagram-v2', `    [*] --> ${first}`, ...lines, `    ${last} --> [*]`, '```'].join('\n');
}

/** @param {Readonly<Record<string, Readonly<Record<string, string | undefined>>>>} states @param {string} first @param {string} last */
function stateDiagram(states, first, last) {
  const edges = Object.entries(states).flatMap(([from, events]) =>
    Object.entries(events).map(([event, to]) => /** @type {[string, string, string]} */ ([from, String(to), event])),
  );
  return diagram(edges, first, last);
}

/** @param {Protocol} protocol */
function frameTable({ FRAME_RULES, PHASES }) {
  const rows = Object.entries(FRAME_RULES).map(([type, rule]) => {
    const from = { client: 'C → S', server: 'S → C', both: 'both' }[rule.from];
    const allowed = PHASES.map((phase) => (rule.in.includes(phase) ? (rule.to ? `→ ${rule.to}` : 'yes') : ''));
    return [code(type), from, ...allowed];
  });
  return table(['frame', 'sent', ...PHASES], rows);
}

/** @param {Protocol} protocol */
function phaseDiagram({ FRAME_RULES }) {
  const edges = Object.entries(FRAME_RULES).flatMap(([type, { in: phases, to }]) =>
    phases
      .filter((phase) => to !== undefined && to !== phase)
      .map((phase) => /** @type {[string, string, string]} */ ([phase, String(to), type])),
  );
  return diagram(edges, 'open', 'leaving');
}

/** @param {Protocol} protocol */
function limitTable({ LIMITS }) {
  /** @type {[keyof typeof LIMITS, string][]} */
  const limits = [
    ['headerBytes', 'header line, without its LF'],
    ['handshakeBytes', 'body of `hello`, `resume`, `welcome` and `resumed`'],
    ['authBytes', 'the member `auth`'],
    ['idBytes', 'session id, resume token, stream epoch, name of a pod'],
    ['topicBytes', 'topic, as it stands on the wire'],
    ['topics', 'topics that a session follows at once'],
    ['acksPerFrame', 'topics in one `ack`'],
    ['reasonBytes', 'reason in a `bye` or a close frame'],
    ['number', 'any number on the wire'],
  ];
  return table(
    ['limit', 'at most'],
    limits.map(([name, what]) => [
      what,
      LIMITS[name].toLocaleString('en-US') + (name.endsWith('Bytes') ? ' bytes' : ''),
    ]),
  );
}

/**
 * The parts of PROTOCOL.md that are generated, by the name in their markers.
 * @param {Protocol} protocol
 * @param {string} codes
 */
export function protocolParts(protocol, codes) {
  return {
    frames: frameTable(protocol),
    phases: phaseDiagram(protocol),
    client: stateDiagram(protocol.CLIENT_STATES, 'connecting', 'closed'),
    server: stateDiagram(protocol.SERVER_STATES, 'detached', 'gone'),
    codes,
    limits: limitTable(protocol),
  };
}

/** Puts the generated parts between their markers. @param {string} text @param {Readonly<Record<string, string>>} parts */
export function withParts(text, parts) {
  let result = text;
  for (const [name, part] of Object.entries(parts)) {
    const [begin, end] = [`<!-- generated: ${name} -->`, '<!-- end -->'];
    const from = result.indexOf(begin);
    const to = result.indexOf(end, from);
    if (from < 0 || to < 0) throw new Error(`PROTOCOL.md has no place for ${name}`);
    result = `${result.slice(0, from + begin.length)}\n${part}\n${result.slice(to)}`;
  }
  return result;
}

/**
 * Every generated file and what it has to say. The pages that `holdfast explain` prints are made by the command itself.
 * @param {Protocol} protocol
 * @param {{ pages: () => Map<string, string>, closeTable: () => string }} explain
 * @param {(path: string) => string} read
 * @returns {Map<string, string>}
 */
export function documents(protocol, explain, read) {
  return new Map([
    ['PROTOCOL.md', withParts(read('PROTOCOL.md'), protocolParts(protocol, explain.closeTable()))],
    ...explain.pages(),
  ]);
}
