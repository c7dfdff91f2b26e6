import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import { CATALOGUE } from '@peerhost/protocol'

const ROOT = resolve(import.meta.dirname, '../..')
const ROOMS = [
  'protocol',
  'chain',
  'storage',
  'sandbox',
  'contracts',
  'client',
  'plugin',
  'gateway',
  'worker',
  'cli',
  'action',
]

/** All code that can throw: no tests, and not the catalogue itself. */
const sources = globSync(
  ROOMS.flatMap((room) => [`${room}/src/**/*.ts`, `${room}/harness/**/*.cjs`]),
  { cwd: ROOT },
).filter((file) => !/\.test\.ts$|\/(support|testing|fixtures|abuse)\/|errors\/catalogue\.ts$/.test(file))
const code = sources.map((file) => readFileSync(join(ROOT, file), 'utf8')).join('\n')
const docs = readFileSync(join(ROOT, 'docs/errors.md'), 'utf8')

test('every code of the catalogue is used by the code and explained in docs/errors.md', () => {
  const codes = Object.keys(CATALOGUE)
  assert.deepEqual(
    codes.filter((name) => !new RegExp(`['"]${name}['"]`).test(code)),
    [],
    'codes that nothing throws',
  )
  assert.deepEqual(
    codes.filter((name) => !docs.includes(`\`${name}\``)),
    [],
    'codes that no page explains',
  )
})

test('every code that the code names is in the catalogue', () => {
  const named = new Set(Array.from(code.matchAll(/['"](PH_[A-Z0-9]+(?:_[A-Z0-9]+)+)['"]/g), ([, name]) => name!))
  assert.deepEqual(
    [...named].filter((name) => !Object.hasOwn(CATALOGUE, name)),
    [],
  )
})
