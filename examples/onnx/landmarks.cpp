// Landmarks of a crop with an exported network, in C++: the crop's pixels in, points of the image out.
//
//     c++ -std=c++17 landmarks.cpp -I ONNXRUNTIME/include -L ONNXRUNTIME/lib -lonnxruntime -o landmarks
//     ./landmarks network.onnx crop.ppm 128.5 97.0 190.0       # centre x, y and width of the crop in the image
//
// crop.ppm: RGB, 8 bits (P6), as wide as the network's input; with --crop, examples/onnx/landmarks.py writes one and says these numbers.
// Prints what that program prints: x, y, and the standard deviations along the long and the short axis, in pixels of the image.

#include <onnxruntime_cxx_api.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <stdexcept>
#include <string>
#include <vector>

struct Crop {
    std::int64_t size;
    std::vector<unsigned char> rgb; // [size, size, 3]
};

Crop read_ppm(const char* path) {
    std::ifstream file(path, std::ios::binary);
    std::string magic;
    std::int64_t width = 0, height = 0, levels = 0;
    if (!(file >> magic >> width >> height >> levels) || magic != "P6" || width != height || width < 64 || width > 1024 || levels != 255)
        throw std::runtime_error(std::string(path) + " is no square RGB image of 8 bits (P6)");
    file.get();
    Crop crop{width, std::vector<unsigned char>(3 * width * height)};
    if (!file.read(reinterpret_cast<char*>(crop.rgb.data()), static_cast<std::streamsize>(crop.rgb.size())))
        throw std::runtime_error(std::string(path) + " is cut off");
    return crop;
}

// RGB u8 [size, size, 3] -> BGR f32 [3, size, size], each (value - 127.5) / 127.5.
std::vector<float> network_input(const Crop& crop) {
    const std::size_t pixels = crop.rgb.size() / 3;
    std::vector<float> input(3 * pixels);
    for (std::size_t pixel = 0; pixel < pixels; ++pixel)
        for (std::size_t channel = 0; channel < 3; ++channel)
            input[channel * pixels + pixel] = (crop.rgb[3 * pixel + 2 - channel] - 127.5f) / 127.5f;
    return input;
}

// What each point's covariance is to be multiplied by: the "scales" of star.covariance, 1 where the weights are not calibrated.
// A program with a JSON library at hand would use it; the file has the list as plain numbers between brackets.
std::vector<double> covariance_scales(const Ort::Session& session, std::size_t points) {
    std::vector<double> scales(points, 1.0);
    Ort::AllocatorWithDefaultOptions allocator;
    const auto found = session.GetModelMetadata().LookupCustomMetadataMapAllocated("star.covariance", allocator);
    if (!found) return scales;
    const std::string text = found.get();
    const auto key = text.find("\"scales\"");
    const auto open = key == std::string::npos ? key : text.find('[', key);
    if (open == std::string::npos) throw std::runtime_error("star.covariance has no scales");
    const char* place = text.c_str() + open;
    for (double& scale : scales) {
        char* end = nullptr;
        scale = std::strtod(place + 1, &end); // after "[" or ","
        if (end == place + 1) throw std::runtime_error("star.covariance has too few scales");
        place = end;
    }
    return scales;
}

int main(int argc, char** argv) try {
    if (argc != 6) {
        std::cerr << "usage: landmarks network.onnx crop.ppm CENTRE_X CENTRE_Y WIDTH\n";
        return 2;
    }
    const Crop crop = read_ppm(argv[2]);
    const double centre[2] = {std::atof(argv[3]), std::atof(argv[4])}, width = std::atof(argv[5]);

    Ort::Env environment(ORT_LOGGING_LEVEL_WARNING, "landmarks");
    // On Windows the path is wide text.
    Ort::Session session(environment, argv[1], Ort::SessionOptions{});

    std::vector<float> input = network_input(crop);
    const std::array<std::int64_t, 4> shape{1, 3, crop.size, crop.size};
    const auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
    Ort::Value image = Ort::Value::CreateTensor<float>(memory, input.data(), input.size(), shape.data(), shape.size());
    const std::array<const char*, 1> inputs{"image"};
    const std::array<const char*, 2> outputs{"landmarks", "covariance"};
    auto results = session.Run(Ort::RunOptions{}, inputs.data(), &image, 1, outputs.data(), outputs.size());

    const auto points = static_cast<std::size_t>(results[0].GetTensorTypeAndShapeInfo().GetShape()[1]);
    const float* landmarks = results[0].GetTensorData<float>();
    const float* covariance = results[1].GetTensorData<float>();
    const std::vector<double> scales = covariance_scales(session, points);
    // The network says -1 and 1 at the crop's borders: half of its width in the image is a unit.
    const double unit = width / 2, pixel = width / static_cast<double>(crop.size);
    for (std::size_t i = 0; i < points; ++i) {
        double place[2];
        for (std::size_t axis = 0; axis < 2; ++axis) {
            const double in_crop = ((landmarks[2 * i + axis] + 1.0) * crop.size - 1) / 2;
            place[axis] = centre[axis] + (in_crop - (crop.size - 1) / 2.0) * pixel;
        }
        // The eigenvalues of a symmetric 2 x 2 matrix: the middle of its diagonal, and as much more and less as it is out of round.
        const float* c = covariance + 4 * i;
        const double middle = (c[0] + c[3]) / 2.0, out_of_round = std::hypot((c[0] - c[3]) / 2.0, static_cast<double>(c[1]));
        const double squared = unit * unit * scales[i];
        const double longest = std::sqrt(squared * (middle + out_of_round));
        const double shortest = std::sqrt(squared * std::max(middle - out_of_round, 0.0));
        std::printf("%.2f %.2f %.2f %.2f\n", place[0], place[1], longest, shortest);
    }
    return 0;
} catch (const std::exception& error) {
    std::cerr << "error: " << error.what() << '\n';
    return 1;
}
