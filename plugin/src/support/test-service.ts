import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

export interface TestService {
  dir: string
  /** Writes a file of the service; returns its path. */
  write(name: string, text: string): string
  remove(): void
}

/** A service folder outside the repository with the plugin installed in it. */
export function createTestService(files: Record<string, string>): TestService {
  const dir = realpathSync(mkdtempSync(path.join(tmpdir(), 'peerhost-service-')))
  mkdirSync(path.join(dir, 'node_modules'))
  symlinkSync(fileURLToPath(new URL('../..', import.meta.url)), path.join(dir, 'node_modules/serverless-peerhost'))
  const service: TestService = {
    dir,
    write(name, text) {
      const file = path.join(dir, name)
      mkdirSync(path.dirname(file), { recursive: true })
      writeFileSync(file, text)
      return file
    },
    remove: () => rmSync(dir, { recursive: true, force: true }),
  }
  for (const [name, text] of Object.entries(files)) service.write(name, text)
  return service
}
