import { readFileSync } from 'node:fs'
import { dirname, relative, resolve } from 'node:path'
import { importsOf } from '../../test/src/support/read-imports.ts'

/** Whoever loads one of these runs jails: the search for nsjail, and the whole network as a command. */
const RUNS_JAILS = ['sandbox/src/locate/find-nsjail.ts', 'test/src/support/dev-network.ts']
const RUNS_JAILS_BY_NAME = /^(?:@peerhost\/sandbox|@peerhost\/worker|peerhost)$/

/**
 * Tells from a test file's imports, and theirs within the repository, whether it runs functions in a sandbox.
 *
 * @param root the repository
 * @param file the test file, absolute
 */
export function needsSandbox(root: string, file: string, seen = new Set<string>()): boolean {
  if (seen.has(file)) return false
  seen.add(file)
  if (RUNS_JAILS.includes(relative(root, file))) return true
  const imports = importsOf(file, readFileSync(file, 'utf8')).filter(({ kind }) => kind !== 'type')
  return imports.some(({ specifier }) => {
    if (RUNS_JAILS_BY_NAME.test(specifier)) return true
    return /^\.{1,2}\/.*\.ts$/.test(specifier) && needsSandbox(root, resolve(dirname(file), specifier), seen)
  })
}
