import { setTimeout as sleep } from 'node:timers/promises'
import { isPeerHostError } from '@peerhost/protocol'
import { CONSOLE_HEAD, fetchLogs, type LogRecord, printable } from '../commands/logs.ts'
import type { ChainConnection } from '../deploy/connect-network.ts'
import type { ServerlessUtils } from '../serverless-types.ts'

/** Milliseconds between two looks at the logs. */
const LOOK = 400

/** One line of a request, with what the function wrote below. */
export function requestLines(name: string, record: LogRecord): string[] {
  const { time, httpStatus, status, durationMs, start, error, lines } = record
  const result = httpStatus ?? (status === 0 ? 'ok' : 'failed')
  const head = `${time.slice(11, 19)} ${name} ${result} ${durationMs.toFixed(1)} ms ${start}${error ? ` ${error.code}` : ''}`
  return [head, ...lines.map((line) => `    ${printable(line.replace(CONSOLE_HEAD, ''))}`)]
}

export interface FollowOptions {
  connection: Pick<ChainConnection, 'gateway' | 'owner'>
  project: string
  /** Names of the functions, which may become others. */
  functions: () => string[]
  utils: Pick<ServerlessUtils, 'log' | 'writeText'>
  signal: AbortSignal
}

/** Shows the requests of all functions as they come, until the signal ends it. */
export async function followLogs({ connection, project, functions, utils, signal }: FollowOptions): Promise<void> {
  const { gateway, owner } = connection
  const start = Date.now()
  const cursors = new Map<string, number>()
  let isGone = false
  while (!signal.aborted) {
    try {
      for (const name of functions()) {
        const since = cursors.get(name)
        const page = await fetchLogs(gateway, `${owner}/${project}/${name}`, { since }, signal)
        cursors.set(name, page.cursor)
        for (const record of page.records) {
          // the first page tells of the past, too
          if (since !== undefined || Date.parse(record.time) >= start) utils.writeText(requestLines(name, record))
        }
      }
      if (isGone) utils.log.notice('The gateway answers again')
      isGone = false
    } catch (error) {
      if (!signal.aborted && !isGone && isPeerHostError(error, 'PH_GATEWAY_UNREACHABLE')) {
        isGone = true
        utils.log.warning(`${error.message}; requests are shown again when it is back`)
      }
      utils.log.debug(String(error))
    }
    await sleep(LOOK, undefined, { signal }).catch(() => {})
  }
}
