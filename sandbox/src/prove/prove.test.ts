import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { ManifestFunction } from '@peerhost/protocol'
import type { ExecutionResult, Sandbox, SandboxFunction } from '../types.ts'
import { proveDeterministic } from './prove-deterministic.ts'
import { sampleInvocations } from './sample-invocations.ts'

const definition = (changes: Partial<ManifestFunction> = {}): ManifestFunction => ({
  name: 'quote',
  handler: 'quote.handler',
  bundleCid: 'b',
  codeDigest: `0x${'11'.repeat(32)}`,
  size: 1,
  routes: [],
  price: '0',
  timeout: 1,
  memorySize: 128,
  egress: [],
  verification: 'deterministic',
  publicHeaders: [],
  environment: {},
  runtimeId: '0x',
  ...changes,
})
const route = (method: string, path: string) => ({ method, path, kind: 'httpApi' as const, payload: '2.0' as const })
const http = (httpStatus: number, headers: [string, string][], body: string): Partial<ExecutionResult> => ({
  status: 0,
  response: { httpStatus, headers, body: Buffer.from(body) },
})

/** A sandbox that answers with one result after the other. */
function sandboxOf(results: Partial<ExecutionResult>[]): Sandbox {
  return {
    execute: async () =>
      ({ start: 'cold', logs: '', timings: { waitMs: 0, runMs: 0 }, ...results.shift() }) as ExecutionResult,
  } as unknown as Sandbox
}

const fn = { definition: definition() } as SandboxFunction
const samples = sampleInvocations(definition({ routes: [route('GET', '/quote/{sku}')] }), 5)
const prove = (results: Partial<ExecutionResult>[]) =>
  proveDeterministic(sandboxOf(results), fn, samples, { pauseMs: 0 })

describe('sample invocations', () => {
  it('are one for each route, parameters filled in, with seeds and clock of their own choice', () => {
    const all = sampleInvocations(
      definition({
        routes: [route('GET', '/a/{x}/b/{proxy+}'), route('ANY', '/any'), route('POST', '/a'), route('OPTIONS', '/a')],
      }),
      7,
    )
    assert.deepEqual(
      all.map(({ name }) => name),
      ['GET /a/1/b/1', 'GET /any', 'POST /a'],
    )
    const { input, clockMs } = all[2]!.invocation
    assert.ok(input.kind === 'http')
    assert.deepEqual(
      [input.request.headers, String(input.request.body), clockMs],
      [[['content-type', 'application/json']], '{}', 7],
    )
    assert.equal(new Set(all.map(({ invocation }) => invocation.requestHash)).size, 3)
  })

  it('are the warm-up request where there is one', () => {
    const [sample] = sampleInvocations(
      definition({
        routes: [route('GET', '/')],
        warmup: { method: 'GET', path: '/health?a=b', headers: { 'X-A': '1' } },
      }),
    )
    assert.ok(sample!.invocation.input.kind === 'http')
    const { path, query, headers } = sample!.invocation.input.request
    assert.deepEqual([path, query, headers], ['/health', 'a=b', [['x-a', '1']]])
    const [event] = sampleInvocations(definition({ warmup: { event: { a: 1 } } }))
    assert.ok(event!.invocation.input.kind === 'event')
    assert.equal(String(event!.invocation.input.body), '{"a":1}')
  })

  it('are a direct call where there are neither', () => {
    const [sample, ...none] = sampleInvocations(definition())
    assert.equal(none.length, 0)
    assert.ok(sample!.invocation.input.kind === 'http')
    assert.equal(sample!.invocation.input.request.path, '/quote')
  })
})

describe('proveDeterministic', () => {
  it('accepts equal bytes', async () => {
    assert.deepEqual(await prove(Array.from({ length: 3 }, () => http(200, [['a', 'b']], 'same'))), { ok: true })
    assert.deepEqual(await prove(Array.from({ length: 3 }, () => ({ status: 1 as const, output: Buffer.from('x') }))), {
      ok: true,
    })
  })

  it('names the first difference, also of the last run', async () => {
    const one = http(
      200,
      [
        ['content-type', 'a'],
        ['etag', '1'],
      ],
      'the time is 12:00:01 now',
    )
    const cases: [Partial<ExecutionResult>, RegExp][] = [
      [http(500, [], ''), /HTTP status is 200 and 500/],
      [
        http(
          200,
          [
            ['content-type', 'a'],
            ['etag', '2'],
          ],
          '',
        ),
        /header etag is "1" and "2"/,
      ],
      [http(200, [['content-type', 'a']], ''), /header 2 is etag and missing/],
      [
        http(
          200,
          [
            ['content-type', 'a'],
            ['etag', '1'],
          ],
          'the time is 12:00:02 now',
        ),
        /GET \/quote\/1.*body differs at byte 19: "the time is 12:00:01 now" and "the time is 12:00:02 now"/,
      ],
      [
        http(
          200,
          [
            ['content-type', 'a'],
            ['etag', '1'],
          ],
          'the time',
        ),
        /body differs at byte 8/,
      ],
      [{ status: 2, error: { code: 'PH_RUN_TIMEOUT', message: '' } }, /status 0 and with 2 \(PH_RUN_TIMEOUT\)/],
    ]
    for (const [other, expected] of cases) {
      for (const results of [
        [one, other, one],
        [one, one, other],
      ]) {
        const proof = await prove(results)
        assert.ok(!proof.ok)
        assert.match(proof.difference, expected)
        assert.equal(proof.invocation, 'GET /quote/1')
      }
    }
  })

  it('does not take a refusal for a proof', async () => {
    const refused = { status: 4 as const, error: { code: 'PH_RUN_REFUSED', message: 'busy' } }
    await assert.rejects(prove([refused, refused, refused]), { code: 'PH_RUN_REFUSED' })
  })
})
