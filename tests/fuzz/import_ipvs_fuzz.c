/* ipvsadm-save of anybody: never a crash, an error always says something, and what was taken is YAML that reads back with
 * as many objects. */
#include "tests/fuzz/import_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	import_once(import_ipvs, NULL, data, size);
	return 0;
}
