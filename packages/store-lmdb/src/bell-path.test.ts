import { chmodSync, mkdirSync, realpathSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { bellDirectory } from './bell-path.js';
import { newDirectory } from './directory.fixture.js';

function longDirectory(): string {
  const path = join(newDirectory(), 'x'.repeat(120));
  mkdirSync(path);
  return path;
}

describe('the directory of the sockets', () => {
  it('lies in that of the store', () => {
    const path = newDirectory();
    expect(bellDirectory(path)).toBe(join(realpathSync(path), 'bell'));
    expect(bellDirectory(path)).toBe(bellDirectory(path));
  });

  it('is a short one that every process finds, where the path of the store is too long for a socket', () => {
    const path = longDirectory();
    const temporary = newDirectory();
    const found = bellDirectory(path, temporary);
    expect(found).toMatch(new RegExp(`^${temporary}/holdfast-[0-9a-f]{16}$`));
    expect(bellDirectory(join(path, '.', '..', 'x'.repeat(120)), temporary)).toBe(found);
    expect(bellDirectory(longDirectory(), temporary)).not.toBe(found);
  });

  it('is not in a temporary directory whose path is too long as well', () => {
    const found = bellDirectory(longDirectory(), longDirectory());
    onTestFinished(() => rmdirSync(found));
    expect(found).toMatch(/^\/tmp\/holdfast-[0-9a-f]{16}$/);
    expect(Buffer.byteLength(found)).toBeLessThan(60);
  });

  it('is refused when others may write to it', () => {
    const path = longDirectory();
    const temporary = newDirectory();
    chmodSync(bellDirectory(path, temporary), 0o777);
    expect(() => bellDirectory(path, temporary)).toThrow('HF_STORE_FOREIGN');
  });
});
