import assert from 'node:assert/strict'
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { bundleFunctions } from './bundle-functions.ts'
import { FunctionWatcher, type WatchedBundle } from './watch-functions.ts'

test('watched functions are bundled anew when a source changes, with the bytes of a fresh bundle, and others are left alone', async (t) => {
  const dir = realpathSync(mkdtempSync(path.join(tmpdir(), 'peerhost-watch-')))
  t.after(() => rmSync(dir, { recursive: true, force: true }))
  const write = (name: string, text: string) => writeFileSync(path.join(dir, name), text)
  write('shared.ts', 'export const word: string = "one"')
  write('a.ts', 'import { word } from "./shared"\nexport const handler = () => word')
  write(
    'b.ts',
    'import { word } from "./shared"\nexport const handler = () => word + "b"\nexport const second = () => 2',
  )
  write('c.js', 'exports.handler = () => 3')
  const sources = [
    { name: 'a', handler: 'a.handler' },
    { name: 'b', handler: 'b.handler' },
    { name: 'b2', handler: 'b.second' },
    { name: 'c', handler: 'c.handler' },
  ]
  const reports: WatchedBundle[][] = []
  let wake = () => {}
  const watcher = new FunctionWatcher(dir, sources, (bundles) => {
    reports.push(bundles)
    wake()
  })
  t.after(() => watcher.close())
  const next = async (count: number) => {
    while (reports.length < count) await new Promise<void>((resolve) => (wake = resolve))
    return reports[count - 1]!
  }
  const digests = (bundles: WatchedBundle[]) =>
    bundles.map((one) => ('bundle' in one ? one.bundle.codeDigest : one.error))
  const fresh = async (names: string[]) =>
    (
      await bundleFunctions(
        dir,
        sources.filter(({ name }) => names.includes(name)),
      )
    ).map(({ codeDigest }) => codeDigest)

  const first = await next(1)
  assert.deepEqual(first.map(({ name }) => name).sort(), ['a', 'b', 'b2', 'c'])

  write('shared.ts', 'export const word: string = "two"')
  const second = (await next(2)).toSorted((x, y) => (x.name < y.name ? -1 : 1))
  assert.deepEqual(
    second.map(({ name }) => name),
    ['a', 'b', 'b2'],
  )
  assert.deepEqual(digests(second), await fresh(['a', 'b', 'b2']))

  write('c.js', 'exports.handler = ( => 3')
  const [broken] = await next(3)
  assert.equal(broken!.name, 'c')
  assert.equal(('error' in broken! && (broken.error as { code: string }).code) || '', 'PH_BUNDLE_FAILED')
  write('c.js', 'exports.handler = () => 4')
  assert.deepEqual(digests(await next(4)), await fresh(['c']))

  // a source that is gone, and is there again as another file
  const codes = (bundles: WatchedBundle[]) =>
    bundles.map((one) => [one.name, 'error' in one ? (one.error as { code: string }).code : 'ok'])
  rmSync(path.join(dir, 'c.js'))
  assert.deepEqual(codes(await next(5)), [['c', 'PH_CONFIG_HANDLER_NOT_FOUND']])
  write('c.ts', 'export const handler = (): number => 5')
  assert.deepEqual(digests(await next(6)), await fresh(['c']))

  // several saves at once are one report
  write('a.ts', 'export const handler = () => 1')
  write('b.ts', 'export const handler = () => 2\nexport const second = () => 3')
  write('c.ts', 'export const handler = () => 6')
  assert.deepEqual(codes(await next(7)).sort(), [
    ['a', 'ok'],
    ['b', 'ok'],
    ['b2', 'ok'],
    ['c', 'ok'],
  ])

  // functions come, go, and get other handlers
  const changed = [sources[0]!, { name: 'b', handler: 'b.second' }, { name: 'd', handler: 'd.handler' }]
  watcher.update(changed)
  assert.deepEqual(codes(await next(8)).sort(), [
    ['b', 'ok'],
    ['d', 'PH_CONFIG_HANDLER_NOT_FOUND'],
  ])
  write('d.js', 'exports.handler = () => 7')
  assert.deepEqual(codes(await next(9)), [['d', 'ok']])
})
