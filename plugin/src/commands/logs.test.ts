import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type LogRecord, logLines, parseStartTime } from './logs.ts'

const record: LogRecord = {
  cursor: 1,
  requestId: `0x${'ab'.repeat(32)}`,
  time: '2026-01-02T03:04:05.000Z',
  status: 0,
  durationMs: 1.26,
  version: 2,
  start: 'forked',
  lines: [],
}

test('a start time is a span or a date', () => {
  const now = Date.parse('2026-01-02T00:00:00Z')
  assert.equal(parseStartTime('10m', now), now - 600_000)
  assert.equal(parseStartTime('2d', now), now - 2 * 86_400_000)
  assert.equal(parseStartTime('2026-01-01', now), now - 86_400_000)
  assert.throws(() => parseStartTime('soon', now), { code: 'PH_CONFIG_INVALID' })
})

test('what a function wrote cannot steer the terminal, and has time and request in front once', () => {
  const lines = logLines({
    ...record,
    lines: ['plain \u001b[2J\u0007text', `2026-01-02T03:04:06.000Z\t${record.requestId}\tINFO\tsaid`],
  })
  assert.deepEqual(lines, [
    '2026-01-02T03:04:05.000Z 0xabababab plain [2Jtext',
    '2026-01-02T03:04:06.000Z 0xabababab said',
    '2026-01-02T03:04:05.000Z 0xabababab done in 1.3 ms (version 2)',
  ])
  const [failed] = logLines({ ...record, error: { code: 'PH_RUN_TIMEOUT', message: 'too long' } })
  assert.match(failed!, /PH_RUN_TIMEOUT: too long in 1\.3 ms/)
})
