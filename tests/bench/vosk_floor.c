/* The floor of what recognition can cost: libvosk alone, on one thread, one frame per stream every 20 ms,
 * or as fast as it goes.
 *
 *   cc -O2 -o vosk_floor vosk_floor.c -ldl
 *   ./vosk_floor LIBVOSK MODEL AUDIO STREAMS OFFSET SETTLING SECONDS [fast] [PARTIALS]
 *
 * AUDIO holds samples of 16 bits, 8000 a second, and is played round and round; each stream begins
 * OFFSET frames after the one before. Results are taken where libvosk ends an utterance, and never
 * in between, unless PARTIALS says after how many frames each. With `fast`, nothing waits for a clock. Prints the CPU seconds used in SECONDS after SETTLING, and how many utterances ended.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum { FRAME = 160, FRAMES_PER_SECOND = 50, FRAME_NANOSECONDS = 20000000 };

static void *library;

static void fail(const char *what)
{
	fprintf(stderr, "vosk_floor: %s\n", what);
	exit(1);
}

static void *find(const char *name)
{
	void *function = dlsym(library, name);

	if (!function)
		fail(name);
	return function;
}

static double used(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_utime.tv_sec + usage.ru_stime.tv_sec +
		(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static short *samples_of(const char *file, long *frames)
{
	FILE *stream = fopen(file, "rb");
	short *samples;
	long bytes;

	if (!stream || fseek(stream, 0, SEEK_END) || (bytes = ftell(stream)) < FRAME * 2)
		fail("no audio");
	rewind(stream);
	*frames = bytes / 2 / FRAME;
	samples = malloc((size_t)bytes);
	if (!samples || fread(samples, 2 * FRAME, (size_t)*frames, stream) != (size_t)*frames)
		fail("audio cannot be read");
	fclose(stream);
	return samples;
}

int main(int count, char **words)
{
	void *(*model_new)(const char *);
	void *(*recognizer_new)(void *, float);
	int (*accept)(void *, const short *, int);
	const char *(*result)(void *), *(*partial)(void *);
	void (*log_level)(int);
	long frames, streams, offset, settling, ticks, utterances = 0, partials = 0;
	int fast = 0;
	double begin = 0;
	struct timespec due;
	short *samples;
	void *model, **recognizers;

	for (; count > 8; count--) {
		if (!strcmp(words[count - 1], "fast"))
			fast = 1;
		else
			partials = atol(words[count - 1]);
	}
	if (count != 8)
		fail("usage: vosk_floor LIBVOSK MODEL AUDIO STREAMS OFFSET SETTLING SECONDS [fast] [PARTIALS]");
	library = dlopen(words[1], RTLD_NOW);
	if (!library)
		fail(dlerror());
	*(void **)&model_new = find("vosk_model_new");
	*(void **)&recognizer_new = find("vosk_recognizer_new");
	*(void **)&accept = find("vosk_recognizer_accept_waveform_s");
	*(void **)&result = find("vosk_recognizer_result");
	*(void **)&partial = find("vosk_recognizer_partial_result");
	*(void **)&log_level = find("vosk_set_log_level");
	log_level(-1);
	model = model_new(words[2]);
	if (!model)
		fail("the model cannot be loaded");
	samples = samples_of(words[3], &frames);
	streams = atol(words[4]);
	offset = atol(words[5]);
	settling = atol(words[6]) * FRAMES_PER_SECOND;
	ticks = settling + atol(words[7]) * FRAMES_PER_SECOND;
	recognizers = calloc((size_t)streams, sizeof *recognizers);
	for (long stream = 0; stream < streams; stream++) {
		recognizers[stream] = recognizer_new(model, 8000);
		if (!recognizers[stream])
			fail("no recogniser");
	}
	clock_gettime(CLOCK_MONOTONIC, &due);
	for (long tick = 0; tick < ticks; tick++) {
		if (tick == settling)
			begin = used();
		for (long stream = 0; stream < streams; stream++) {
			short *frame = samples + (tick + stream * offset) % frames * FRAME;

			if (accept(recognizers[stream], frame, FRAME) == 1) {
				result(recognizers[stream]);
				utterances++;
			} else if (partials && tick % partials == 0) {
				partial(recognizers[stream]);
			}
		}
		if (fast)
			continue;
		due.tv_nsec += FRAME_NANOSECONDS;
		if (due.tv_nsec >= 1000000000) {
			due.tv_nsec -= 1000000000;
			due.tv_sec++;
		}
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
	}
	printf("%.3f %ld\n", used() - begin, utterances);
	return 0;
}
