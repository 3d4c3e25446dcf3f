// Fills in a form with pdf-lib: fill_message_form.mjs EMPTY.pdf FILLED.pdf VALUES.json (text by field name; true ticks a box)
import { readFile, writeFile } from 'node:fs/promises'
import { PDFDocument } from 'pdf-lib'

const [empty, filled, values] = process.argv.slice(2)
const pdf = await PDFDocument.load(await readFile(empty))
const form = pdf.getForm()
for (const [name, value] of Object.entries(JSON.parse(await readFile(values, 'utf8')))) {
  if (value === true) form.getCheckBox(name).check()
  else form.getTextField(name).setText(value)
}
await writeFile(filled, await pdf.save())
