import { fork } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { isPeerHostError } from '@peerhost/protocol'
import type { ServiceConfig } from '../config/types.ts'
import type { PeerHostProvider } from '../provider.ts'

/** Set for a process that only reads the configuration. */
const MARK = 'PEERHOST_DEV_READ_CONFIG'
/** Milliseconds. */
const PATIENCE = 60_000

/** Why serverless.yml cannot be used as it is. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
}

type Answer = { config: ServiceConfig } | { problem: string }

/** True in a process that `readConfig` started. */
export const isConfigReader = (): boolean => process.env[MARK] === '1' && process.send !== undefined

/** The other side of `readConfig`: sends what this process has read. */
export async function sendConfig(provider: PeerHostProvider): Promise<void> {
  let answer: Answer
  try {
    answer = { config: provider.config() }
  } catch (error) {
    if (!isPeerHostError(error)) throw error
    answer = { problem: `${error.message} (${error.code})\n${error.hint}` }
  }
  await new Promise<void>((resolve) => process.send!(answer, undefined, {}, () => resolve()))
  process.disconnect()
}

/** The environment that this process was given: what it has since read from .env files would hide edits of them. */
function givenEnvironment(): NodeJS.ProcessEnv {
  try {
    const pairs = readFileSync('/proc/self/environ', 'utf8').split('\0').filter(Boolean)
    return Object.fromEntries(
      pairs.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]),
    )
  } catch {
    return process.env
  }
}

/** What Serverless printed, without its heading and what it says of itself. */
function problemIn(output: string): string {
  const lines = output
    // biome-ignore lint/suspicious/noControlCharactersInRegex: colours are escape sequences
    .replace(/\u001b\[[0-9;]*m/g, '')
    .split('\n')
    .map((line) => line.trimEnd())
  const isNoise = (line: string) => /^(\W*Error:?|(Environment|Docs|Support|Bugs|Forum|Chat): .*|)$/.test(line)
  return lines.filter((line) => !isNoise(line)).join('\n') || 'serverless.yml cannot be read'
}

/**
 * Reads serverless.yml anew with the very CLI, arguments and plugins that this process was started with: another process does,
 * because Serverless reads a file once and resolves its variables on the way.
 *
 * @throws ConfigError
 */
export function readConfig(serviceDir: string, signal: AbortSignal): Promise<ServiceConfig> {
  const child = fork(process.argv[1]!, process.argv.slice(2), {
    cwd: serviceDir,
    env: { ...givenEnvironment(), [MARK]: '1', SLS_NOTIFICATIONS_MODE: 'off' },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    timeout: PATIENCE,
    killSignal: 'SIGKILL',
    signal,
  })
  let output = ''
  const hear = (part: Buffer) => {
    output = (output + part).slice(0, 20_000)
  }
  child.stdout!.on('data', hear)
  child.stderr!.on('data', hear)
  return new Promise((resolve, reject) => {
    child.once('message', (answer: Answer) =>
      'config' in answer ? resolve(answer.config) : reject(new ConfigError(answer.problem)),
    )
    child.once('error', reject)
    child.once('close', () => reject(new ConfigError(problemIn(output))))
  })
}
