import { type CompileTask, compileEntry } from './compile-entry.ts'

/** The child's side of the pool: a task comes in, its result goes out, until the parent hangs up. */
process.on('message', (task: CompileTask) => {
  void compileEntry(task).then((result) => process.send?.(result))
})
process.on('disconnect', () => process.exit(0))
